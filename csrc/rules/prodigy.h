// prodigy – Adam whose step size is an estimate d of the distance from the first parameters to a solution.
//
//   c = √(1 − β₂ᵗ)/(1 − β₁ᵗ) with bias_correction, else 1;   γ = lr c, or 1 for s alone with safeguard_warmup
//   s ← β₃ s + (d/d0) d γ g,   numerator ← β₃ numerator + (d/d0) d c Σ lr g (x0 − x), over all arrays of a call
//   m ← β₁ m + (1 − β₁) d g,   v ← β₂ v + (1 − β₂) (d g)²
//   d̂ = d_coef numerator/‖s‖₁,   d_max ← max(d_max, d̂),   d⁺ = min(d_max, growth_rate d), where d = d0 that of max(d, d̂)
//   x ← (1 − lr d c weight_decay) x − lr d c m/(√v + d⁺ eps),   d ← d⁺
//
// Where s = 0 no step is taken and d stays. Source: Mishchenko, Defazio 2024, "Prodigy: an expeditiously adaptive
// parameter-free learner", algorithm 4 (Adam), with d_coef, growth_rate, bias_correction and safeguard_warmup
// of its authors' code, whose sums of a step are divided by the largest lr of all groups: here each element's own counts.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

struct Prodigy : Update {
  static constexpr const char* kName = "prodigy";
  static constexpr const char* kSummary =
      "c = √(1 − β₂ᵗ)/(1 − β₁ᵗ) or 1, s ← β₃s + (d/d0)·d·lr·c·g, numerator ← β₃·numerator + "
      "(d/d0)·d·c·Σ lr·g·(x0 − x), m ← β₁m + (1 − β₁)d·g, v ← β₂v + (1 − β₂)(d·g)², d_max ← "
      "max(d_max, "
      "d_coef·numerator/‖s‖₁), d⁺ = min(d_max, growth_rate·d), x ← (1 − lr·d·c·weight_decay)x − "
      "lr·d·c·m/(√v + d⁺·eps), d ← d⁺";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState},
                                        {"s", Role::kInOut, Storage::kState},
                                        {"x0", Role::kIn, Storage::kState}};
  enum { kM = 2, kV, kS, kFirst };
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG | 1U << kS | 1U << kFirst;
  static constexpr bool kGathersLr = true;
  static constexpr Sum kGathered[] = {{"progress"}, {"s1"}};
  static constexpr Sum kSolved[] = {{"d"}, {"d_max"}, {"numerator"}};
  struct Coef : Update::Coef {
    double t, beta1, beta2, beta3, eps, d0, d_coef, growth_rate, bias_correction, safeguard_warmup;
    double d, d_max, numerator;
    double correction, weight, step, divided;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"t", &Coef::t},
      {"beta1", &Coef::beta1, 0.9},
      {"beta2", &Coef::beta2, 0.999},
      {"beta3", &Coef::beta3, 0.999499874937461},
      {"eps", &Coef::eps, 1e-8},
      {"d0", &Coef::d0, 1e-6},
      {"d_coef", &Coef::d_coef, 1.0},
      {"growth_rate", &Coef::growth_rate, std::numeric_limits<double>::max()},
      {"bias_correction", &Coef::bias_correction, 0.0},
      {"safeguard_warmup", &Coef::safeguard_warmup, 0.0},
      {"d", &Coef::d, 1e-6},
      {"d_max", &Coef::d_max, 1e-6},
      {"numerator", &Coef::numerator, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    const auto corrections = Corrections::after(c.t, c.beta1, c.beta2, c.bias_correction != 0.0);
    c.correction = corrections.m / sqrt(corrections.v);
    c.weight = c.d / c.d0 * c.d;
    return c.d0 > 0.0;
  }
  template <class V>
  MDBOPT_INLINE static typename V::Real weighed(const V& v, const Coef& c, typename V::Real g) {
    using Real = typename V::Real;
    const Real rate = select(c.safeguard_warmup != 0.0, Real(1), v.lr * Real(c.correction));
    return Real(c.beta3) * v[kS] + in_range<Real>(c.weight) * rate * g;
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const auto g = c.gradient(v);
    const double left = static_cast<double>(v[kFirst]) - static_cast<double>(v[kX]);
    sums[0] = static_cast<double>(v.lr) * (static_cast<double>(g) * left);
    sums[1] = abs(static_cast<double>(weighed(v, c, g)));
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[2] = c.d;
    sums[3] = c.d_max;
    sums[4] = c.numerator;
    const bool moves = sums[1] != 0.0;
    if (moves) {
      sums[4] = c.beta3 * c.numerator + c.weight * c.correction * sums[0];
      const double estimate = c.d_coef * sums[4] / sums[1];
      const double from = c.d == c.d0 ? maximum(c.d, estimate) : c.d;
      sums[3] = maximum(c.d_max, estimate);
      sums[2] = min(sums[3], from * c.growth_rate);
    }
    c.step = moves ? c.d * c.correction : 0.0;
    c.divided = sums[2] * c.eps;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    const Real scaled = in_range<Real>(c.d) * g;
    v[kM] = average(c.beta1, v[kM], scaled);
    v[kV] = average(c.beta2, v[kV], scaled * scaled);
    v[kS] = weighed(v, c, g);
    v.lr = v.lr * in_range<Real>(c.step);
    c.move(v, v[kM] / (sqrt(v[kV]) + Real(c.divided)));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
