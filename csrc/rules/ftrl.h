// ftrl – follow the regularised leader, which makes parameters exactly 0.
//
//   n ← n + g² (sum_of_squares),   z = pull + lr g − (beta + √n) x
//   x ← −(z − lr l1 sign(z))/(beta + √n + lr weight_decay), 0 where |z| ≤ lr l1
//   pull ← z + (beta + √n) x
//
// Source: McMahan et al. 2013, "Ad click prediction: a view from the trenches", algorithm 1. Its z is
// (pull − (beta + √n) x)/lr. Written so, pull is 0 at first wherever x begins, and nothing is divided
// by lr. Where lr = 0 x and pull stay, which rounding would move.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Ftrl : Update {
  static constexpr const char* kName = "ftrl";
  static constexpr const char* kSummary =
      "sum_of_squares ← sum_of_squares + g², c = beta + √sum_of_squares, z = pull + lr·g − c·x, "
      "x ← −(z − lr·l1·sign(z))/(c + lr·weight_decay), 0 where |z| ≤ lr·l1, pull ← z + c·x";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"pull", Role::kInOut, Storage::kState},
                                        {"sum_of_squares", Role::kInOut, Storage::kState}};
  enum { kPull = 2, kSum };
  struct Coef : Update::Coef {
    double beta, l1;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"beta", &Coef::beta, 1.0}, {"l1", &Coef::l1, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kSum] = v[kSum] + g * g;
    const Real curvature = Real(c.beta) + sqrt(v[kSum]);
    const Real z = v[kPull] + v.lr * g - curvature * v[kX];
    const Real bound = v.lr * Real(c.l1);
    const Real held = max(min(z, bound), -bound);
    const Real x = (held - z) / (curvature + v.lr * Real(c.weight_decay));
    const bool stays = v.lr == Real(0);
    v[kX] = select(stays, v[kX], x);
    v[kPull] = select(stays, v[kPull], z + curvature * x);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
