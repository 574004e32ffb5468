// nadam – Adam with Nesterov's look ahead, by a momentum that warms up.
//
//   μ(t) = β₁ (1 − ½ 0.96^(t·momentum_decay)),   mu_product ← mu_product μ(t)
//   m, v and v̂ as Adam has them (adam.h)
//   m̂ = μ(t+1) m/(1 − mu_product μ(t+1)) + (1 − μ(t)) g/(1 − mu_product)
//   d = m̂/(√(v̂ + eps_root) + eps)
//
// mu_product is 1 at first, and goes from step to step. Source: Dozat 2016, algorithm 2, as PyTorch
// has it: m is averaged by β₁ where the paper takes μ(t).
#pragma once

#include "adam.h"
#include "exponential.h"

namespace mdbopt::MDBOPT_ISA {

struct NAdam : Adam {
  static constexpr const char* kName = "nadam";
  static constexpr const char* kSummary =
      "m and v as adam, mu_product ← mu_product·μ(t), x ← (1 − lr·weight_decay)x − lr·m̂/(√(v̂ + "
      "eps_root) + eps), m̂ = μ(t+1)m/(1 − mu_product·μ(t+1)) + (1 − μ(t))g/(1 − mu_product)";
  struct Coef : Adam::Coef {
    double momentum_decay, mu_product, now;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"momentum_decay", &Coef::momentum_decay, 4e-3},
                                                {"mu_product", &Coef::mu_product, 1.0}};
  static constexpr Sum kSolved[] = {{"mu_product"}};
  MDBOPT_HOST_DEVICE static double mu(const Coef& c, double t) {
    constexpr double kLog = -0.040821994520255166;  // of 0.96; e^−80 is nothing beside 1
    return c.beta1 * (1.0 - 0.5 * exp(max(kLog * (t * c.momentum_decay), -80.0)));
  }
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    const double mu_next = mu(c, c.t + 1.0);
    c.mu_product = c.mu_product * mu(c, c.t);
    c.now = (1.0 - mu(c, c.t)) / (1.0 - c.mu_product);
    c.corrections = Corrections::after(c.t, c.beta1, c.beta2, true);
    c.corrections.m = mu_next / (1.0 - c.mu_product * mu_next);
    return c.momentum_decay >= 0.0;
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    sums[0] = c.mu_product;
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    moments(v, c);
    const Real ahead = Real(c.corrections.m) * v[kM] + Real(c.now) * c.gradient(v);
    c.move(v, ahead / c.corrections.divisor(v[kV], c.eps, c.eps_root));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
