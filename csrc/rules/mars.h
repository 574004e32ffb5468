// mars – updates by a gradient that is corrected by how it has changed since the last step.
//
//   c = g + gamma β₁/(1 − β₁) (g − g_prev),   c ← c/max(1, ‖c‖), the norm of each array
//   mars_adam   adam with c for g
//   mars_lion   m ← β₁ m + (1 − β₁) c,   d = sign(m)
//   g_prev ← g
//
// Source: Yuan et al. 2025, "MARS: unleashing the power of variance reduction for training large
// models", MARS-AdamW and MARS-Lion, with the last step's gradient for that of its point and this
// batch (MARS-approx). There x₁ = x₀, so that c = g at t = 1; the authors' code takes g_prev = 0
// instead.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

inline constexpr Sum kCorrectedNorm[] = {{"c2"}};
inline constexpr Sum kClipFactor[] = {{"factor"}};

// A Coef with more scalars.
template <class Base>
struct Correction : Base {
  double gamma, change, factor;

  MDBOPT_HOST_DEVICE void correct(double step, double share) {
    change = step == 1.0 ? 0.0 : gamma * (share / (1.0 - share));
  }
  template <class Real>
  MDBOPT_INLINE Real corrected(Real g, Real g_prev) const {
    return g + Real(change) * (g - g_prev);
  }
  MDBOPT_HOST_DEVICE void bound(double* sums) {
    const double norm = sqrt(sums[0]);
    sums[1] = factor = norm <= 1.0 ? 1.0 : 1.0 / norm;
  }
};

struct MarsAdam : Adam {
  static constexpr const char* kName = "mars_adam";
  static constexpr const char* kSummary =
      "c = g + gamma·β₁/(1 − β₁)(g − g_prev), c/max(1, ‖c‖) in each array, then adam with c for g, "
      "g_prev ← g";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState},
                                        {"g_prev", Role::kInOut, Storage::kState}};
  enum { kGPrev = 4 };
  static constexpr Scope kScope = Scope::kArray;
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG | 1U << kGPrev;
  static constexpr auto& kGathered = kCorrectedNorm;
  static constexpr auto& kSolved = kClipFactor;
  using Coef = Correction<Adam::Coef>;
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.95},
                                                {"beta2", &Coef::beta2, 0.99},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"bias_correction", &Coef::bias_correction, 1.0},
                                                {"gamma", &Coef::gamma, 0.025}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double n) {
    c.correct(c.t, c.beta1);
    return Adam::prepare(c, n);
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double corrected = c.corrected(c.gradient(v), v[kGPrev]);
    sums[0] = corrected * corrected;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    c.bound(sums);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    average_in(v, c, Real(c.factor) * c.corrected(g, v[kGPrev]));
    v[kGPrev] = g;
    c.move(v, c.corrections.direction(v[kM], v[kV], c.eps, c.eps_root));
  }
};

struct MarsLion : Update {
  static constexpr const char* kName = "mars_lion";
  static constexpr const char* kSummary =
      "c = g + gamma·β₁/(1 − β₁)(g − g_prev), c/max(1, ‖c‖) in each array, m ← β₁m + (1 "
      "− β₁)c, x ← (1 − lr·weight_decay)x − lr·sign(m), g_prev ← g";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"g_prev", Role::kInOut, Storage::kState}};
  enum { kM = 2, kGPrev };
  static constexpr Scope kScope = Scope::kArray;
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG | 1U << kGPrev;
  static constexpr auto& kGathered = kCorrectedNorm;
  static constexpr auto& kSolved = kClipFactor;
  struct Coef : Correction<Update::Coef> {
    double t, beta1;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"t", &Coef::t}, {"beta1", &Coef::beta1, 0.95}, {"gamma", &Coef::gamma, 0.025}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.correct(c.t, c.beta1);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double corrected = c.corrected(c.gradient(v), v[kGPrev]);
    sums[0] = corrected * corrected;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    c.bound(sums);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kM] = average(c.beta1, v[kM], Real(c.factor) * c.corrected(g, v[kGPrev]));
    v[kGPrev] = g;
    c.move(v, sign(v[kM]));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
