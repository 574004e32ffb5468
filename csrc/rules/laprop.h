// laprop – averages of gradients that were divided by the root before, not after.
//
//   v ← β₂ v + (1 − β₂) g²,   s = g/(√(v̂ + eps_root) + eps)
//   m ← β₁ m + (1 − β₁) s,   d = m̂, m̂ and v̂ as adam
//   delayed:  s = g/max(√(v + eps_root), eps) by the v before this step, within ±(t − 1)^¼; d = m.
//             At t = 1, v ← g² and s = 0.
//
// Source: Ziyin, Wang, Ueda 2020, "LaProp: separating momentum and adaptivity in Adam", algorithm 1;
// Taniguchi et al. 2024, "ADOPT: modified Adam can converge with any β₂ with the optimal rate",
// algorithm 2, clipped (delayed: v of g alone does not depend on g). Its t is one less than ours.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

struct LaProp : Adam {
  static constexpr const char* kName = "laprop";
  static constexpr const char* kSummary =
      "v ← β₂v + (1 − β₂)g², m ← β₁m + (1 − β₁)g/(√(v̂ + eps_root) + eps), or with "
      "clip(g/max(√v, eps), (t − 1)^¼) of the v before when delayed is not 0, x ← (1 − "
      "lr·weight_decay)x − lr·m̂";
  struct Coef : Adam::Coef {
    double delayed, bound;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-15},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"bias_correction", &Coef::bias_correction, 1.0},
                                                {"delayed", &Coef::delayed, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double n) {
    const bool delayed = c.delayed != 0.0;
    c.bound = delayed ? sqrt(sqrt(c.t - 1.0)) : std::numeric_limits<double>::infinity();
    if (delayed) c.bias_correction = 0.0;
    if (delayed && c.t == 1.0) c.beta2 = 0.0;
    return Adam::prepare(c, n);
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const bool delayed = c.delayed != 0.0;
    const Real g = c.gradient(v);
    const Real squares = average(c.beta2, v[kV], g * g);
    const Real seen = select(delayed, v[kV], Real(c.corrections.v) * squares);
    const Real root = sqrt(seen + Real(c.eps_root));
    const Real divisor = select(delayed, max(root, Real(c.eps)), root + Real(c.eps));
    const Real step = min(max(g / divisor, Real(-c.bound)), Real(c.bound));
    v[kV] = squares;
    v[kM] = average(c.beta1, v[kM], step);
    c.move(v, Real(c.corrections.m) * v[kM]);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
