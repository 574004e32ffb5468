// adagrad – steps divided by the root of the sum of all squared gradients.
//
//   adagrad       S ← S + g²,     d = g/(√(S + eps_root) + eps), S one number per coordinate
//   adagrad_norm  S ← S + ‖g‖²,   the same with one S for all arrays of a call
//
// Source: Duchi, Hazan, Singer 2011, section 1.3 (diagonal); Ward, Wu, Bottou 2019, algorithm 1.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct AdaGrad : Update {
  static constexpr const char* kName = "adagrad";
  static constexpr const char* kSummary =
      "sum_of_squares ← sum_of_squares + g², x ← x − lr·g/(√(sum_of_squares + eps_root) + eps)";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"sum_of_squares", Role::kInOut, Storage::kState}};
  enum { kSum = 2 };
  struct Coef : Update::Coef {
    double eps, eps_root;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"eps", &Coef::eps, 1e-10},
                                                {"eps_root", &Coef::eps_root, 0.0}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kSum] = v[kSum] + g * g;
    c.move(v, g / (sqrt(v[kSum] + Real(c.eps_root)) + Real(c.eps)));
  }
};

struct AdaGradNorm : Update {
  static constexpr const char* kName = "adagrad_norm";
  static constexpr const char* kSummary =
      "sum_of_squares ← sum_of_squares + ‖g‖², a number; x ← x − lr·g/(√(sum_of_squares + "
      "eps_root) + eps)";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut}, {"g", Role::kIn}};
  static constexpr Sum kGathered[] = {{"norm2"}};
  static constexpr Sum kSolved[] = {{"sum_of_squares"}};
  struct Coef : Update::Coef {
    double sum_of_squares, eps, eps_root, inverse;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"sum_of_squares", &Coef::sum_of_squares, 0.0},
                                                {"eps", &Coef::eps, 1e-10},
                                                {"eps_root", &Coef::eps_root, 0.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.gradient(v);
    sums[0] = g * g;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[1] = c.sum_of_squares + sums[0];
    const double divisor = sqrt(sums[1] + c.eps_root) + c.eps;
    c.inverse = divisor == 0.0 ? 0.0 : 1.0 / divisor;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.move(v, typename V::Real(c.inverse) * c.gradient(v));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
