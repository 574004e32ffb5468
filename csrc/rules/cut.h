// cut – shrinks a set by a half-space ⟨cut·u, q⟩ ≤ 1, alone or in the walk that also proposes.
//
//   box_cut, simplex_cut  streams u and the set
//   ellipsoid_cut         the same; gathers ℓ = Σ (cut·u·axes)², solves λ = (ℓ/d)(d−1)/(ℓ−1)
//   ellipsoid_cut_at      takes a λ from elsewhere (ellipsoid_shrink)
//   *_cut_trial           u from the pair (g, g_trial) (normal.h), then x_trial from what is left
//
// λ is the scalar `weight`: Python keeps the word lambda for itself. A box has none. ellipsoid_cut
// refuses, and touches nothing, when ℓ ≤ 1 or λ would not be below 1: the half-space is then too far
// out for any smaller ellipsoid of the family to contain what is left.
// Source: Kunstner et al. 2023, theorems 4.2 and 5.3, appendix D.
#pragma once

#include "normal.h"
#include "shapes.h"
#include "trial.h"

namespace mdbopt::MDBOPT_ISA {

struct CutCoef {
  double cut, lambda, depth;
  Limits limits;
};
template <class Shape>
struct CutScalars {
  static constexpr ScalarOf<CutCoef> kScalars[] = {{"cut", &CutCoef::cut, 1.0},
                                                   {"weight", &CutCoef::lambda, 0.0},
                                                   {"depth", &CutCoef::depth, kUnlimited}};
};
template <>
struct CutScalars<Box> {
  static constexpr ScalarOf<CutCoef> kScalars[] = {{"cut", &CutCoef::cut, 1.0},
                                                   {"depth", &CutCoef::depth, kUnlimited}};
};

template <class Shape>
struct Cut : CutScalars<Shape> {
  using Coef = CutCoef;
  static constexpr const char* kName = Shape::kCut;
  static constexpr const char* kSummary = Shape::kCutSummary;
  static constexpr Stream kStreams[] = {{"u", Role::kIn, Storage::kWide},
                                        {Shape::kSet, Role::kInOut, Storage::kWide}};
  enum { kU, kSet };
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kSet] = shrink<Shape>(v[kSet], c.cut * v[kU], c.lambda, c.depth, c.limits);
  }
};

struct EllipsoidCut {
  static constexpr const char* kName = "ellipsoid_cut";
  static constexpr const char* kSummary =
      "axes ← the smaller ellipsoid of the closed form that keeps ⟨cut·u, q⟩ ≤ 1";
  static constexpr Stream kStreams[] = {{"u", Role::kIn, Storage::kWide},
                                        {"axes", Role::kInOut, Storage::kWide}};
  enum { kU, kSet };
  static constexpr Sum kGathered[] = {{"spread"}};
  struct Coef {
    double cut, depth, lambda;
    Limits limits;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"cut", &Coef::cut, 1.0},
                                                {"depth", &Coef::depth, kUnlimited}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef&, double* sums) {
    sums[0] = (v[kU] * v[kSet]) * (v[kU] * v[kSet]);
  }
  MDBOPT_HOST_DEVICE static bool solve(const double* sums, double n, Coef& c) {
    const double ell = sums[0] * (c.cut * c.cut);
    c.lambda = ell / n * ((n - 1.0) / (ell - 1.0));
    return ell > 1.0 && c.lambda < 1.0;
  }
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double*) {
    v[kSet] = shrink<Ellipsoid>(v[kSet], c.cut * v[kU], c.lambda, c.depth, c.limits);
  }
};

// One Newton evaluation for the refined shrink: the smallest ellipsoid 1/(c/a + (1−c)u²) maximises
// φ(c) = Σ log(c + (1−c)w), w = (cut·u·axes)²; gathers φ', −φ'' and ℓ = Σ w.
struct EllipsoidShrink {
  static constexpr const char* kName = "ellipsoid_shrink";
  static constexpr const char* kSummary =
      "slope, curvature of the log-volume of the ellipsoid cut at this weight; Σ (cut·u·axes)²";
  static constexpr Stream kStreams[] = {{"u", Role::kIn, Storage::kWide},
                                        {"axes", Role::kIn, Storage::kWide}};
  enum { kU, kSet };
  static constexpr Sum kGathered[] = {{"slope"}, {"curvature"}, {"spread"}};
  struct Coef {
    double cut, lambda;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"cut", &Coef::cut, 1.0},
                                                {"weight", &Coef::lambda, 1.0}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double w = (c.cut * v[kU] * v[kSet]) * (c.cut * v[kU] * v[kSet]);
    const double ratio = (1.0 - w) / (c.lambda + (1.0 - c.lambda) * w);
    sums[0] = ratio;
    sums[1] = ratio * ratio;
    sums[2] = w;
  }
};

// The cut of an ellipsoid by a pair, for the candidate in the gradient's direction: emits what the
// next one needs.
struct EllipsoidCutPair {
  static constexpr const char* kName = "ellipsoid_cut_pair";
  static constexpr const char* kSummary =
      "cuts the ellipsoid by the pair (g, g_trial); emits Σ (axes·g²)² of the result";
  static constexpr Stream kStreams[] = {
      {"g", Role::kIn}, {"g_trial", Role::kIn}, {"axes", Role::kInOut, Storage::kWide}};
  enum { kG, kGTrial, kSet };
  static constexpr Sum kEmitted[] = {{"norm2"}};
  struct Coef {
    double cut, lambda, scale, cocoercive, depth;
    Limits limits;
  };
  static constexpr ScalarOf<Coef> kScalars[] = {{"cut", &Coef::cut, 1.0},
                                                {"weight", &Coef::lambda},
                                                {"scale", &Coef::scale, 1.0},
                                                {"cocoercive", &Coef::cocoercive, 1.0},
                                                {"depth", &Coef::depth, kUnlimited}};
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double u = normal(g, c.scale * v[kGTrial], c.cocoercive);
    v[kSet] = shrink<Ellipsoid>(v[kSet], c.cut * u, c.lambda, c.depth, c.limits);
    sums[0] = (v[kSet] * (g * g)) * (v[kSet] * (g * g));
  }
};

// ‖√a∘g²‖², what the candidate in the gradient's direction is divided by.
struct EllipsoidNorm : ScaleOnly {
  static constexpr const char* kName = "ellipsoid_norm";
  static constexpr const char* kSummary = "Σ (axes·(scale·g)²)²";
  static constexpr Stream kStreams[] = {{"g", Role::kIn}, {"axes", Role::kIn, Storage::kWide}};
  enum { kG, kSet };
  static constexpr Sum kGathered[] = {{"norm2"}};
  template <class V>
  MDBOPT_INLINE static void gather(const V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    sums[0] = (v[kSet] * (g * g)) * (v[kSet] * (g * g));
  }
};

struct CutTrialCoef {
  double cut, step, lambda, scale, cocoercive, depth;
  Limits limits;
};
template <class Shape>
struct CutTrialScalars {
  static constexpr ScalarOf<CutTrialCoef> kScalars[] = {
      {"cut", &CutTrialCoef::cut},
      {"step", &CutTrialCoef::step},
      {"weight", &CutTrialCoef::lambda, 0.0},
      {"scale", &CutTrialCoef::scale, 1.0},
      {"cocoercive", &CutTrialCoef::cocoercive, 1.0},
      {"depth", &CutTrialCoef::depth, kUnlimited}};
};
template <>
struct CutTrialScalars<Box> {
  static constexpr ScalarOf<CutTrialCoef> kScalars[] = {
      {"cut", &CutTrialCoef::cut},
      {"step", &CutTrialCoef::step},
      {"scale", &CutTrialCoef::scale, 1.0},
      {"cocoercive", &CutTrialCoef::cocoercive, 1.0},
      {"depth", &CutTrialCoef::depth, kUnlimited}};
};

template <class Shape>
struct CutTrial : CutTrialScalars<Shape> {
  using Coef = CutTrialCoef;
  static constexpr const char* kName = Shape::kCutTrial;
  static constexpr const char* kSummary = Shape::kCutTrialSummary;
  static constexpr Stream kStreams[] = {{"x", Role::kIn},
                                        {"g", Role::kIn},
                                        {"g_trial", Role::kIn},
                                        {Shape::kSet, Role::kInOut, Storage::kWide},
                                        {"x_trial", Role::kOut}};
  enum { kX, kG, kGTrial, kSet, kXTrial };
  static constexpr auto& kEmitted = kTrialSums;
  template <class V>
  MDBOPT_INLINE static void apply(V& v, const Coef& c, double* sums) {
    const double g = c.scale * v[kG];
    const double u = normal(g, c.scale * v[kGTrial], c.cocoercive);
    v[kSet] = shrink<Shape>(v[kSet], c.cut * u, c.lambda, c.depth, c.limits);
    propose(v, kXTrial, v[kX], g, c.step * v[kSet], sums);
  }
};

}  // namespace mdbopt::MDBOPT_ISA
