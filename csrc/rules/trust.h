// trust – steps of each array in proportion to the norm of its parameters.
//
//   lamb  m, v and m̂, v̂ as adam, d = m̂/(√(v̂ + eps_root) + eps) + weight_decay x
//         x ← x − lr (‖x‖/‖d‖) d                       (You et al. 2020, algorithm 2, φ(z) = z)
//   lars  rate = trust_coefficient ‖x‖/(‖g‖ + weight_decay ‖x‖)
//         m ← momentum m + lr rate (g + weight_decay x),   x ← x − m
//                                                      (You, Gitman, Ginsburg 2017, algorithm 1)
//
// The norms are of each array. Where one of x or of the step is 0, as that of a bias at the start,
// ‖x‖/‖d‖ and rate are 1, which the papers leave open and their authors' code has.
#pragma once

#include "adam.h"
#include "gradient_descent.h"

namespace mdbopt::MDBOPT_ISA {

struct Lamb : Adam {
  static constexpr const char* kName = "lamb";
  static constexpr const char* kSummary =
      "m and v as adam, d = m̂/(√(v̂ + eps_root) + eps) + weight_decay·x, x ← x − lr·(‖x‖/‖d‖)d, the "
      "norms of each array";
  static constexpr Scope kScope = Scope::kArray;
  static constexpr Sum kGathered[] = {{"x2"}, {"d2"}};
  static constexpr Sum kSolved[] = {{"trust"}};
  struct Coef : Adam::Coef {
    double trust;
  };
  template <class V>
  MDBOPT_INLINE static typename V::Real along(const V& v, const Coef& c, typename V::Real m,
                                              typename V::Real squares) {
    return c.decayed(v, c.corrections.direction(m, squares, c.eps, c.eps_root));
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const auto g = c.gradient(v);
    squares_of_pair(v, along(v, c, average(c.beta1, v[kM], g), average(c.beta2, v[kV], g * g)),
                    sums);
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    const bool none = sums[0] == 0.0 || sums[1] == 0.0;
    sums[2] = c.trust = none ? 1.0 : sqrt(sums[0]) / sqrt(sums[1]);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    moments(v, c);
    v[kX] = v[kX] - v.lr * (in_range<typename V::Real>(c.trust) * along(v, c, v[kM], v[kV]));
  }
};

struct Lars : Update {
  static constexpr const char* kName = "lars";
  static constexpr const char* kSummary =
      "rate = trust_coefficient·‖x‖/(‖g‖ + weight_decay·‖x‖) in each array, m ← momentum·m + "
      "lr·rate·(g + weight_decay·x), x ← x − m";
  static constexpr auto& kStreams = SgdMomentum::kStreams;
  enum { kM = 2 };
  static constexpr Scope kScope = Scope::kArray;
  static constexpr auto& kGathered = kNormsOfPair;
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG;
  static constexpr Sum kSolved[] = {{"rate"}};
  struct Coef : Update::Coef {
    double momentum, trust_coefficient, rate;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"momentum", &Coef::momentum, 0.9}, {"trust_coefficient", &Coef::trust_coefficient, 1e-3}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    squares_of_pair(v, c.gradient(v), sums);
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    const double x = sqrt(sums[0]);
    const double g = sqrt(sums[1]);
    const bool none = x == 0.0 || g == 0.0;
    sums[2] = c.rate = none ? 1.0 : c.trust_coefficient * x / (g + c.weight_decay * x);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real step = in_range<Real>(c.rate) * c.decayed(v, c.gradient(v));
    v[kM] = Real(c.momentum) * v[kM] + v.lr * step;
    v[kX] = v[kX] - v[kM];
  }
};

}  // namespace mdbopt::MDBOPT_ISA
