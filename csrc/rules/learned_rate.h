// learned_rate – one step size that follows its own gradient: ∂f/∂alpha at the last step is −⟨g, d⟩,
// d the direction of that step.
//
//   additive        alpha ← alpha + hyper_lr ⟨g, d⟩                     (Baydin et al. 2018, eq. 5)
//   multiplicative  alpha ← alpha (1 + hyper_lr ⟨g, d⟩/(‖g‖‖d‖))        (eq. 8)
//
// then a step of length lr·alpha, alpha relative to lr and 1 at first. The sums run over all arrays
// of a call. hypergradient_sgd steps along m ← momentum m + g, so that m before the step is d;
// hypergradient_adam makes d anew from m and v, which costs a root but no array.
#pragma once

#include "adam.h"

namespace mdbopt::MDBOPT_ISA {

inline constexpr Sum kProducts[] = {{"gd"}, {"g2"}, {"d2"}};
inline constexpr Sum kAlpha[] = {{"alpha"}};

MDBOPT_INLINE void products(double g, double d, double* sums) {
  sums[0] = g * d;
  sums[1] = g * g;
  sums[2] = d * d;
}

// A Coef with more scalars.
template <class Base>
struct LearnedRate : Base {
  double alpha, hyper_lr, multiplicative;

  MDBOPT_HOST_DEVICE void learn(double* sums) {
    const double norms = sqrt(sums[1]) * sqrt(sums[2]);
    const double cosine = norms == 0.0 ? 0.0 : sums[0] / norms;
    alpha = multiplicative != 0.0 ? alpha * (1.0 + hyper_lr * cosine) : alpha + hyper_lr * sums[0];
    sums[3] = alpha;
  }
};

struct HypergradientSgd : Update {
  static constexpr const char* kName = "hypergradient_sgd";
  static constexpr const char* kSummary =
      "alpha ← alpha + hyper_lr⟨g, m⟩ or alpha(1 + hyper_lr·cos(g, m)), m ← momentum·m + g, "
      "x ← x − lr·alpha·m";
  static constexpr Stream kStreams[] = {
      {"x", Role::kInOut}, {"g", Role::kIn}, {"m", Role::kInOut, Storage::kState}};
  enum { kM = 2 };
  static constexpr auto& kGathered = kProducts;
  static constexpr auto& kSolved = kAlpha;
  struct Coef : LearnedRate<Update::Coef> {
    double momentum;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"alpha", &Coef::alpha, 1.0},
                                                {"hyper_lr", &Coef::hyper_lr},
                                                {"multiplicative", &Coef::multiplicative, 0.0},
                                                {"momentum", &Coef::momentum, 0.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    products(c.gradient(v), v[kM], sums);
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    c.learn(sums);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    v[kM] = Real(c.momentum) * v[kM] + c.gradient(v);
    c.move(v, Real(c.alpha) * v[kM]);
  }
};

struct HypergradientAdam : Update {
  static constexpr const char* kName = "hypergradient_adam";
  static constexpr const char* kSummary =
      "alpha ← alpha + hyper_lr⟨g, d⟩ or alpha(1 + hyper_lr·cos(g, d)), d adam's last direction; "
      "then adam with lr·alpha for lr";
  static constexpr auto& kStreams = Adam::kStreams;
  static constexpr auto& kGathered = kProducts;
  static constexpr auto& kSolved = kAlpha;
  struct Coef : LearnedRate<Adam::Coef> {
    Corrections before;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"alpha", &Coef::alpha, 1.0},
                                                {"hyper_lr", &Coef::hyper_lr},
                                                {"multiplicative", &Coef::multiplicative, 0.0},
                                                {"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"bias_correction", &Coef::bias_correction, 1.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double n) {
    c.before = Corrections::after(c.t - 1.0, c.beta1, c.beta2, c.bias_correction != 0.0);
    return Adam::prepare(c, n);
  }
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    using Real = typename V::Real;
    const Real m = v[Adam::kM];
    const Real direction = c.before.direction(m, v[Adam::kV], c.eps, c.eps_root);
    products(c.gradient(v), m == Real(0) ? Real(0) : direction, sums);
  }
  MDBOPT_HOST_DEVICE static bool solve(double* sums, double, Coef& c) {
    c.learn(sums);
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    using Real = typename V::Real;
    Adam::moments(v, c);
    c.move(v, Real(c.alpha) * c.corrections.direction(v[Adam::kM], v[Adam::kV], c.eps, c.eps_root));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
