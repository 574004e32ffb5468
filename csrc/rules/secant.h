// secant – what a rejected candidate tells: the sums from which the normaliser of a cut is made.
//
// With p the rejected candidate (see trial.h) and s = −p∘g, y = g⁺ − g, it sums
//   slope     = Σ p g g⁺        so that D(x, x⁺) = f − f⁺ − slope,
//   curvature = Σ p g (g − g⁺)  = ⟨s, y⟩ = D(x, x⁺) + D(x⁺, x), free of cancellation in f,
//   gmax      = max|g⁺|         NaN or inf when g⁺ is not finite,
// and, for the shape at hand, the quantity its cut needs of the normal u (normal.h):
//   ellipsoid      spread = Σ (u·axes)², so that ℓ = spread/ν²
//   one step size  spread = Σ u, so that b ← ν/spread
// Source: Kunstner et al. 2023, section 4; normaliser and ℓ as in appendix D.
#pragma once

#include "normal.h"
#include "trial.h"

namespace mdbopt::MDBOPT_ISA {

struct BoxSecant {
  using Candidate = LinearCandidate;
  static constexpr const char* kName = "box_secant";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"g_trial", Role::kIn}, {"b", Role::kIn, Storage::kWide}};
  static constexpr Sum kGathered[] = {{"slope"}, {"curvature"}, {"gmax", Fold::kMax}};
  enum { kSet = 2 };
  MDBOPT_INLINE static void spread(double, double, double*) {}
};

struct PlainEllipsoidSecant : BoxSecant {
  static constexpr const char* kName = "ellipsoid_plain_secant";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"g_trial", Role::kIn}, {"axes", Role::kIn, Storage::kWide}};
  static constexpr Sum kGathered[] = {{"slope"}, {"curvature"}, {"gmax", Fold::kMax}, {"spread"}};
  MDBOPT_INLINE static void spread(double axis, double u, double* sums) {
    sums[3] = (u * axis) * (u * axis);
  }
};

struct EllipsoidSecant : PlainEllipsoidSecant {
  using Candidate = GradientDirectionCandidate;
  static constexpr const char* kName = "ellipsoid_secant";
};

struct GradientSecant {
  using Candidate = UniformCandidate;
  static constexpr const char* kName = "gradient_secant";
  static constexpr Stream kStreams[] = {{"g", Role::kIn}, {"g_trial", Role::kIn}};
  static constexpr Sum kGathered[] = {{"slope"}, {"curvature"}, {"gmax", Fold::kMax}, {"spread"}};
  enum { kSet = 0 };
  MDBOPT_INLINE static void spread(double, double u, double* sums) { sums[3] = u; }
};

template <class Shape>
struct Secant {
  static constexpr const char* kName = Shape::kName;
  static constexpr const char* kSummary =
      "sums of a rejected candidate: slope, curvature, finiteness and spread";
  static constexpr auto& kStreams = Shape::kStreams;
  enum { kG, kGTrial };
  static constexpr auto& kGathered = Shape::kGathered;
  struct Coef {
    double step, scale, cocoercive;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {
      {"step", &Coef::step}, {"scale", &Coef::scale, 1.0}, {"cocoercive", &Coef::cocoercive, 1.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double g_trial = c.scale * v[kGTrial];
    const double move = Shape::Candidate::p(v[Shape::kSet], g, c.step) * g;
    sums[0] = move * g_trial;
    sums[1] = move * (g - g_trial);
    sums[2] = abs(g_trial);
    Shape::spread(v[Shape::kSet], normal(g, g_trial, c.cocoercive), sums);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
