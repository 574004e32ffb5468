// adamax – Adam divided by the largest gradient of late in place of a root.
//
//   m ← β₁ m + (1 − β₁) g,   u ← max(β₂ u, |g| + eps)
//   d = m̂/u,   m̂ = m/(1 − β₁ᵗ)
//
// Source: Kingma, Ba 2015, algorithm 2, with eps as PyTorch and optax have it.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

struct Adamax : Update {
  static constexpr const char* kName = "adamax";
  static constexpr const char* kSummary =
      "m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g| + eps), x ← (1 − lr·weight_decay)x − lr·m̂/u";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"u", Role::kInOut, Storage::kState}};
  enum { kM = 2, kU };
  struct Coef : Update::Coef {
    double t, beta1, beta2, eps;
    Corrections corrections;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.corrections = Corrections::after(c.t, c.beta1, c.beta2, true);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kM] = average(c.beta1, v[kM], g);
    v[kU] = maximum(Real(c.beta2) * v[kU], abs(g) + Real(c.eps));
    c.move(v, Real(c.corrections.m) * v[kM] / v[kU]);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
