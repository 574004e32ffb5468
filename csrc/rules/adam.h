// adam – steps divided by the root of an average of squared gradients.
//
//   m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
//   m̂ = m/(1 − β₁ᵗ),   v̂ = v/(1 − β₂ᵗ)
//   d = m̂/(√(v̂ + eps_root) + eps)
//
// amsgrad takes the largest v so far in place of v. Without bias correction m̂ = m and v̂ = v.
// rectified:  ρ∞ = 2/(1 − β₂) − 1,   ρ = ρ∞ − 2t β₂ᵗ/(1 − β₂ᵗ)
//   d = √((ρ − 4)(ρ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρ)) √(1 − β₂ᵗ) m̂/(√(v + eps_root) + eps) where ρ > 5,
//   before that d = m̂
//
// Source: Kingma, Ba 2015, algorithm 1; Loshchilov, Hutter 2019, algorithm 2; Reddi et al. 2018,
// algorithm 2, with the corrections of Adam as PyTorch has them; Liu et al. 2020, algorithm 2
// (rectified; in its authors' code and in PyTorch its 4 is 5, and eps is beside √v). The corrections are factors, made
// once, where the papers divide each element.
#pragma once

#include "update.h"

namespace mdbopt::MDBOPT_ISA {

// The factors that m and v are corrected with after t steps.
struct Corrections {
  double m, v;
  MDBOPT_HOST_DEVICE static Corrections after(double t, double beta1, double beta2, bool correct) {
    if (!correct || t < 1.0) return {1.0, 1.0};
    return {1.0 / (1.0 - power(beta1, t)), 1.0 / (1.0 - power(beta2, t))};
  }
  template <class Real>
  MDBOPT_INLINE Real divisor(Real v_now, double eps, double eps_root) const {
    return sqrt(Real(v) * v_now + Real(eps_root)) + Real(eps);
  }
  template <class Real>
  MDBOPT_INLINE Real direction(Real m_now, Real v_now, double eps, double eps_root) const {
    return Real(m) * m_now / divisor(v_now, eps, eps_root);
  }
};

struct Adam : Update {
  static constexpr const char* kName = "adam";
  static constexpr const char* kSummary =
      "m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², x ← (1 − lr·weight_decay)x − "
      "lr·m̂/(√(v̂ + eps_root) + eps), or lr·m̂ times the rectification of t when rectified is not 0";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState}};
  enum { kM = 2, kV, kVMax };
  struct Coef : Update::Coef {
    double t, beta1, beta2, eps, eps_root, bias_correction, rectified;
    Corrections corrections;
    // The variance of 1/√v̂ is known where ρ, the length of its average, exceeds 4. Before that the
    // divisor is 1 = √0 + 1.
    MDBOPT_HOST_DEVICE void rectify() {
      const double beta2_t = power(beta2, t);
      const double longest = 2.0 / (1.0 - beta2) - 1.0;
      const double length = longest - 2.0 * t * beta2_t / (1.0 - beta2_t);
      if (length > 5.0) {
        const double known = (length - 4.0) * (length - 2.0) * longest /
                             ((longest - 4.0) * (longest - 2.0) * length);
        corrections = {corrections.m * sqrt(known) / sqrt(corrections.v), 1.0};
      } else {
        corrections.v = eps_root = 0.0;
        eps = 1.0;
      }
    }
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"t", &Coef::t},
                                                {"beta1", &Coef::beta1, 0.9},
                                                {"beta2", &Coef::beta2, 0.999},
                                                {"eps", &Coef::eps, 1e-8},
                                                {"eps_root", &Coef::eps_root, 0.0},
                                                {"bias_correction", &Coef::bias_correction, 1.0},
                                                {"rectified", &Coef::rectified, 0.0}};
  MDBOPT_HOST_DEVICE static bool prepare(Coef& c, double) {
    c.corrections = Corrections::after(c.t, c.beta1, c.beta2, c.bias_correction != 0.0);
    if (c.rectified != 0.0) c.rectify();
    return true;
  }
  template <class V>
  MDBOPT_INLINE static void average_in(V& v, const Coef& c, typename V::Real g) {
    v[kM] = average(c.beta1, v[kM], g);
    v[kV] = average(c.beta2, v[kV], g * g);
  }
  template <class V>
  MDBOPT_INLINE static void moments(V& v, const Coef& c) {
    average_in(v, c, c.gradient(v));
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    moments(v, c);
    c.move(v, c.corrections.direction(v[kM], v[kV], c.eps, c.eps_root));
  }
};

struct AmsGrad : Adam {
  static constexpr const char* kName = "amsgrad";
  static constexpr const char* kSummary =
      "as adam, with v_max ← max(v_max, v) in place of v in the step";
  static constexpr Stream kStreams[] = {{"x", Role::kInOut},
                                        {"g", Role::kIn},
                                        {"m", Role::kInOut, Storage::kState},
                                        {"v", Role::kInOut, Storage::kState},
                                        {"v_max", Role::kInOut, Storage::kState}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    moments(v, c);
    v[kVMax] = maximum(v[kVMax], v[kV]);
    c.move(v, c.corrections.direction(v[kM], v[kVMax], c.eps, c.eps_root));
  }
};

}  // namespace mdbopt::MDBOPT_ISA
