// ademamix – Adam whose numerator has a second average of gradients, of a much longer memory.
//
//   m, v, m̂, v̂ as adam,   m_slow ← β₃ m_slow + (1 − β₃) g
//   d = (m̂ + alpha m_slow)/(√(v̂ + eps_root) + eps)
//   t < warmup:  τ = t/warmup,   τ alpha for alpha,
//                min(β₃, exp(ln β₁ ln β₃/((1 − τ) ln β₃ + τ ln β₁))) for β₃
//
// Source: Pagliardini, Ablin, Grangier 2024, "The AdEMAMix optimizer: better, faster, older",
// algorithm 1 and its schedulers of alpha and β₃, of which both have the length warmup here.
#pragma once

#include "adam.h"
#include "exponential.h"
#include "logarithm.h"

namespace mdbopt::MDBOPT_ISA {

struct AdEMAMix : Adam {
  static constexpr const char* kName = "ademamix";
  static constexpr const char* kSummary =
      "m and v as adam, m_slow ← β₃m_slow + (1 − β₃)g, x ← (1 − lr·weight_decay)x − lr·(m̂ + "
      "alpha·m_slow)/(√(v̂ + eps_root) + eps), alpha and β₃ growing until t is warmup";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState},
                                        {"m_slow", Role::kInOut, Storage::kState}};
  enum { kMSlow = 4 };
  struct Coef : Adam::Coef {
    double beta3, alpha, warmup;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"beta3", &Coef::beta3, 0.9999},
                                                {"alpha", &Coef::alpha, 5.0},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"warmup", &Coef::warmup, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    if (c.t < c.warmup) {
      constexpr double kLeast = 1e-300;  // a β of 0 has no logarithm
      const double share = c.t / c.warmup;
      const double fast = log(max(c.beta1, kLeast));
      const double slow = log(max(c.beta3, kLeast));
      const double now = fast * slow / ((1.0 - share) * slow + share * fast);
      c.alpha = share * c.alpha;
      c.beta3 = min(c.beta3, exp(max(now, -80.0)));
    }
    c.corrections = Corrections::after(c.t, c.beta1, c.beta2, true);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    average_in(v, c, g);
    v[kMSlow] = average(c.beta3, v[kMSlow], g);
    const Real mixed = Real(c.corrections.m) * v[kM] + Real(c.alpha) * v[kMSlow];
    c.move(v, mixed / c.corrections.divisor(v[kV], c.eps, c.eps_root));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
