// second_moment – Adam with another measure of how large gradients are.
//
//   m ← β₁ m + (1 − β₁) g,   s = g²
//   belief:    s = (g − m)², how far g is from what was expected of it; v ← v + eps_root besides
//   v ← β₂ v + (1 − β₂) s
//   additive:  v ← v − (1 − β₂) sign(v − s) s, so that v changes by s at most, however large it is
//   d = m̂/(√(v̂ + eps_root) + eps), m̂ and v̂ as adam; without eps_root where v has it
//
// Source: Zhuang et al. 2020, "AdaBelief optimizer", algorithm 2 (belief, where eps_root is ε, too);
// Zaheer et al. 2018, "Adaptive methods for nonconvex optimization", algorithm 2 (additive: Yogi,
// there without bias correction).
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

struct AdamSecondMoment : Adam {
  static constexpr const char* kName = "adam_second_moment";
  static constexpr const char* kSummary =
      "as adam, with (g − m)² for g² and v ← v + eps_root when belief is not 0, and with "
      "v ← v − (1 − β₂)sign(v − g²)g² when additive is not 0";
  struct Coef : Adam::Coef {
    double belief, additive, grown;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"bias_correction", &Coef::bias_correction, 1.0},
                                                {"belief", &Coef::belief, 0.0},
                                                {"additive", &Coef::additive, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double n) {
    const bool grows = c.belief != 0.0 && c.additive == 0.0;
    c.grown = grows ? c.eps_root : 0.0;
    if (grows) c.eps_root = 0.0;
    return Adam::prepare(c, n);
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kM] = average(c.beta1, v[kM], g);
    const Real sample = select(c.belief != 0.0, g - v[kM], g);
    const Real squares = sample * sample;
    const Real averaged = average(c.beta2, v[kV], squares) + Real(c.grown);
    const Real added = v[kV] - Real(1.0 - c.beta2) * (sign(v[kV] - squares) * squares);
    v[kV] = select(c.additive != 0.0, added, averaged);
    c.move(v, c.corrections.direction(v[kM], v[kV], c.eps, c.eps_root));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
