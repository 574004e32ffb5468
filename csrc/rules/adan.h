// adan – Adam with Nesterov's momentum made of how gradients change.
//
//   change = g − g_prev, 0 at t = 1,   g_prev ← g
//   m ← β₁ m + (1 − β₁) g,   delta ← β₂ delta + (1 − β₂) change
//   v ← β₃ v + (1 − β₃)(g + β₂ change)²
//   d = (m̂ + β₂ δ̂)/(√(v̂ + eps_root) + eps), each divided by 1 − βᵗ of its own β
//
// Source: Xie et al. 2022, "Adan: adaptive Nesterov momentum algorithm for faster optimizing deep
// models", algorithm 1, with 1 − β for its β and the corrections of its authors' code; decay is that
// of adam, where the paper divides by 1 + lr weight_decay.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

struct Adan : Update {
  static constexpr const char* kName = "adan";
  static constexpr const char* kSummary =
      "m, delta and v averages of g, c = g − g_prev and (g + β₂c)² by β₁, β₂ and β₃, x ← (1 − "
      "lr·weight_decay)x − lr·(m̂ + β₂δ̂)/(√(v̂ + eps_root) + eps), g_prev ← g";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"delta", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState},
                                        {"g_prev", Role::kInOut, Storage::kState}};
  enum { kM = 2, kDelta, kV, kGPrev };
  struct Coef : Update::Coef {
    double t, beta1, beta2, beta3, eps, eps_root, change, corrected_m, corrected_delta, corrected_v;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.98},
                                                {"beta2", &Coef::beta2, 0.92},
                                                {"beta3", &Coef::beta3, 0.99},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.change = c.t == 1.0 ? 0.0 : 1.0;
    c.corrected_m = 1.0 / (1.0 - power(c.beta1, c.t));
    c.corrected_delta = c.beta2 / (1.0 - power(c.beta2, c.t));
    c.corrected_v = 1.0 / (1.0 - power(c.beta3, c.t));
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    const Real change = Real(c.change) * (g - v[kGPrev]);
    const Real ahead = g + Real(c.beta2) * change;
    v[kM] = average(c.beta1, v[kM], g);
    v[kDelta] = average(c.beta2, v[kDelta], change);
    v[kV] = average(c.beta3, v[kV], ahead * ahead);
    v[kGPrev] = g;
    const Real divisor = sqrt(Real(c.corrected_v) * v[kV] + Real(c.eps_root)) + Real(c.eps);
    c.move(v, (Real(c.corrected_m) * v[kM] + Real(c.corrected_delta) * v[kDelta]) / divisor);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
