// cautious_scaled – cautious updates whose steps grow by what the mask takes away.
//
//   φ = 1 where d g > 0, else 0;   d ← φ d n/(Σφ + 1), the sum over the n elements of each array
//   cautious_adam_scaled, cautious_lion_scaled: the d of adam, of lion
//
// Source: Liang et al. 2025, "Cautious optimizers: improving training with one line of code",
// algorithm 1. Adam's φ is that of the sign of m, which is the sign of d.
#pragma once

#include "cautious.h"

namespace mdbopt::MDBOPT_ISA {

inline constexpr Sum kKept[] = {{"kept"}};
inline constexpr Sum kGrowth[] = {{"growth"}};

template <class Base>
struct CautiousScaled : Cautious<Base> {
  static constexpr Scope kScope = Scope::kArray;
  static constexpr auto& kGathered = kKept;
  static constexpr auto& kSolved = kGrowth;
  static constexpr unsigned kGatherReads = 1U << Base::kX | 1U << Base::kG | 1U << Base::kM;
  struct Coef : Cautious<Base>::Coef {
    double growth;
    template <class V>
    MDBOPT_INLINE void grow(V& v, bool masked, typename V::Real direction) const {
      using Real = typename V::Real;
      this->move(v, direction, select(masked, Real(0), Real(growth) * direction));
    }
  };
  // The mask is always on.
  static constexpr ScalarOf<Coef> kCommonScalars[] = {
      {"weight_decay", &Coef::weight_decay, 0.0},
      {"l2", &Coef::l2, 0.0},
      {"grad_scale", &Coef::grad_scale, 1.0},
      {"cautious_weight_decay", &Coef::cautious_weight_decay, 0.0}};
  // Of the sign alone: no product of two small numbers may become 0.
  template <class V>
  MDBOPT_INLINE static bool masked(const V& v, const Coef& c, typename V::Real g) {
    return opposed(sign(average(c.beta1, v[Base::kM], g)), g);
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    using Real = typename V::Real;
    sums[0] = select(masked(v, c, c.gradient(v)), Real(0), Real(1));
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double n, Coef& c) {
    sums[1] = c.growth = n / (sums[0] + 1.0);
    return true;
  }
};

struct CautiousAdamScaled : CautiousScaled<Adam> {
  static constexpr const char* kName = "cautious_adam_scaled";
  static constexpr const char* kSummary =
      "as adam, with d·φ·n/(Σφ + 1) for d = m̂/(√(v̂ + eps_root) + eps), φ = 1 where d·g > 0, "
      "else 0, the sum over the n elements of each array";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const auto g = c.gradient(v);
    const bool mask = masked(v, c, g);
    average_in(v, c, g);
    c.grow(v, mask, c.corrections.direction(v[kM], v[kV], c.eps, c.eps_root));
  }
};

struct CautiousLionScaled : CautiousScaled<Lion> {
  static constexpr const char* kName = "cautious_lion_scaled";
  static constexpr const char* kSummary =
      "as lion, with d·φ·n/(Σφ + 1) for d = sign(β₁m + (1 − β₁)g), φ = 1 where d·g > 0, "
      "else 0, the sum over the n elements of each array";
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    const auto g = c.gradient(v);
    c.grow(v, masked(v, c, g), sign(average(c.beta1, v[kM], g)));
    v[kM] = average(c.beta2, v[kM], g);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
