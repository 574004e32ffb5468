// stable_adam – Adam whose step shrinks in an array where v has not yet seen how large g is now.
//
//   m, v, m̂, v̂ and d as adam,   rms = √(mean of g²/max(v̂, eps²)) in each array
//   lr ← lr/max(1, rms),   x ← (1 − lr weight_decay) x − lr d
//
// Source: Wortsman et al. 2023, "Stable and low-precision training for large-scale vision-language
// models", algorithm 2; its corrected β₁ and β₂ give m̂ and v̂. Where g = 0 its share is 0.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

struct StableAdam : Adam {
  static constexpr const char* kName = "stable_adam";
  static constexpr const char* kSummary =
      "as adam, with lr/max(1, rms) for lr, rms = √(mean of g²/max(v̂, eps²)) in each array";
  static constexpr Scope kScope = Scope::kArray;
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG | 1U << kV;
  static constexpr Sum kGathered[] = {{"ratio2"}};
  static constexpr Sum kSolved[] = {{"factor"}};
  struct Coef : Adam::Coef {
    double factor;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"bias_correction", &Coef::bias_correction, 1.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    const Real squares = Real(c.corrections.v) * average(c.beta2, v[kV], g * g);
    const Real ratio = g * g / max(squares, Real(c.eps * c.eps));
    sums[0] = select(g == Real(0), Real(0), ratio);
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double n, Coef& c) {
    const double rms = sqrt(sums[0] / n);
    sums[1] = c.factor = rms <= 1.0 ? 1.0 : 1.0 / rms;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    v.lr = v.lr * typename V::Real(c.factor);
    Adam::apply(v, c, sums);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
