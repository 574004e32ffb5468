// schedule_free – steps whose average needs no schedule of step sizes.
//
//   Gradients are taken at x between z, which steps, and the average of all z:
//     rate = lr min(1, t/warmup),   adam: times √(1 − β₂ᵗ)
//     weight_sum ← weight_sum + (rate/lr)²,   c = (rate/lr)²/weight_sum
//     x ← x + c (z − x) + rate (β (1 − c) − 1) d,   z ← z − rate d
//   sgd   d = g + weight_decay x
//   adam  v ← β₂ v + (1 − β₂) g²,   d = g/(√v + eps) + weight_decay x
//   β is momentum or β₁. The average is x + (1 − 1/β)(z − x). Where toward is not 0, x moves by this
//   share of the way to z, and nothing else changes: 1 − 1/β makes the average of x, 1 − β undoes it.
//
// Source: Defazio et al. 2024, "The road less scheduled", algorithm 1 and section 4.3, in the form
// of its authors' code, which keeps the average in x and z alone. lr is one number for all steps.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

inline constexpr Sum kWeightSum[] = {{"weight_sum"}};

struct ScheduleFreeCoef : Update::Coef {
  double t, momentum, warmup, weight_sum, toward, scale, share, back;

  MDBOPT_HOST_DEVICE void prepare(double correction) {
    scale = (t < warmup ? t / warmup : 1.0) * correction;
    const double weight = scale * scale;
    if (toward == 0.0) {
      weight_sum += weight;
      share = weight / weight_sum;
      back = momentum * (1.0 - share) - 1.0;
    } else {
      share = toward;
      scale = grad_scale = l2 = weight_decay = 0.0;
    }
  }
  template <class V>
  MDBOPT_INLINE void follow(V& v, typename V::Real direction) const {
    using Real = typename V::Real;
    constexpr std::size_t kZ = 2;
    const Real d = decayed(v, direction);
    const Real rate = v.lr * Real(scale);
    const Real x = v[Update::kX];
    v[Update::kX] = x + Real(share) * (v[kZ] - x) + rate * (Real(back) * d);
    v[kZ] = v[kZ] - rate * d;
  }
};

struct ScheduleFreeSgd : Update {
  static constexpr const char* kName = "schedule_free_sgd";
  static constexpr const char* kSummary =
      "d = g + weight_decay·x, x ← x + c(z − x) + lr(momentum(1 − c) − 1)d, z ← z − lr·d, c the "
      "share of this step in weight_sum; lr grows until t is warmup";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"z", Role::kInOut, Storage::kState}};
  static constexpr auto& kSolved = kWeightSum;
  using Coef = ScheduleFreeCoef;
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"momentum", &Coef::momentum, 0.9},
                                                {"warmup", &Coef::warmup, 0.0},
                                                {"weight_sum", &Coef::weight_sum, 0.0},
                                                {"toward", &Coef::toward, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.prepare(1.0);
    return true;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[0] = c.weight_sum;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    c.follow(v, c.gradient(v));
  }
};

struct ScheduleFreeAdam : Update {
  static constexpr const char* kName = "schedule_free_adam";
  static constexpr const char* kSummary =
      "v ← β₂v + (1 − β₂)g², d = g/(√v + eps) + weight_decay·x, x ← x + c(z − x) + "
      "rate(β₁(1 − c) − 1)d, z ← z − rate·d, rate = lr√(1 − β₂ᵗ), c the share of this "
      "step in weight_sum; lr grows until t is warmup";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"z", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState}};
  enum { kV = 3 };
  static constexpr auto& kSolved = kWeightSum;
  struct Coef : ScheduleFreeCoef {
    double beta2, eps;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::momentum, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"warmup", &Coef::warmup, 0.0},
                                                {"weight_sum", &Coef::weight_sum, 0.0},
                                                {"toward", &Coef::toward, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.ScheduleFreeCoef::prepare(sqrt(1.0 - power(c.beta2, c.t)));
    if (c.toward != 0.0) c.beta2 = c.eps = 1.0;
    return true;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[0] = c.weight_sum;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real g = c.gradient(v);
    v[kV] = average(c.beta2, v[kV], g * g);
    c.follow(v, g / (sqrt(v[kV]) + Real(c.eps)));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
