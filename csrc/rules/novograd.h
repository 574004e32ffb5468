// novograd – momentum along gradients that are divided by the root of an average of their squared norm.
//
//   v ← β₂ v + (1 − β₂) ‖g‖² in each array, or ‖g‖² where v is 0, as at first
//   m ← β₁ m + g/(√(v + eps_root) + eps) + weight_decay x,   x ← x − lr m
//
// v is one number for each array, and goes from step to step. Source: Ginsburg et al. 2020, "Stochastic gradient
// methods with layer-wise adaptive moments for training of deep networks", algorithm 1. Where the divisor is 0
// so is g, and its share of m.
#pragma once

#include "gradient_descent.h"

namespace mdbopt::MDBOPT_ISA {

struct NovoGrad : Update {
  static constexpr const char* kName = "novograd";
  static constexpr const char* kSummary =
      "v ← β₂v + (1 − β₂)‖g‖² in each array, a number, ‖g‖² where v is 0; m ← β₁m + g/(√(v + "
      "eps_root) + eps) + weight_decay·x, x ← x − lr·m";
  static constexpr auto& kStreams = SgdMomentum::kStreams;
  enum { kM = 2 };
  static constexpr Scope kScope = Scope::kArray;
  static constexpr unsigned kGatherReads = 1U << kX | 1U << kG;
  static constexpr Sum kGathered[] = {{"norm2"}};
  static constexpr Sum kSolved[] = {{"v"}};
  struct Coef : Update::Coef {
    double beta1, beta2, eps, eps_root, v, inverse;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.25},
                                                {"eps", &Coef::eps, 1e-6},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"v", &Coef::v, 0.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.gradient(v);
    sums[0] = g * g;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[1] = c.v == 0.0 ? sums[0] : c.beta2 * c.v + (1.0 - c.beta2) * sums[0];
    const double divisor = sqrt(sums[1] + c.eps_root) + c.eps;
    c.inverse = divisor == 0.0 ? 0.0 : 1.0 / divisor;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    const Real along = in_range<Real>(c.inverse) * c.gradient(v);
    v[kM] = Real(c.beta1) * v[kM] + c.decayed(v, along);
    v[kX] = v[kX] - v.lr * v[kM];
  }
};

}  // namespace mdbopt::MDBOPT_ISA
