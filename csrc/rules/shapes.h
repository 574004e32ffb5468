// shapes – how each set of candidates shrinks to where ⟨u, q⟩ ≤ 1, one coordinate at a time.
//
//   box        {0 ≤ q ≤ b}     b ← min(b, 1/u)
//   simplex    {Σ q/b ≤ d}     1/b ← λ/b + (1−λ) d u
//   ellipsoid  {Σ (q/r)² ≤ 1}  1/r² ← λ/r² + (1−λ) u²   (r = √a: walks that propose need no root)
//
// `w` is u times the constant in front of it (normaliser, growth of the set, d) times the set
// itself, at most `depth`: a half-space with a smaller u keeps all that the full one keeps, and a
// pair from a far trial of a function that is not globally smooth (exp) would otherwise cut a step
// size away for good. The forms below leave a coordinate with u = 0 as it was (box) or scale
// it by a constant, and need no reciprocal of a set that may be huge.
// Source: Kunstner et al. 2023, sections 4 and 5 and appendix D; the simplex stands in the authors'
// code only.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

// A step size that reaches zero could never grow again, and one that overflows turns a zero
// gradient into NaN; both limits are far outside of what moves a float64.
inline constexpr double kSmallestStepSize = 1e-290;
inline constexpr double kLargestStepSize = 1e290;

// In the Coef of what shrinks: of numbers that it knows, GCC compares and chooses where a minimum of two
// that it does not know is one instruction.
struct Limits {
  double smallest = kSmallestStepSize, largest = kLargestStepSize;
};

inline constexpr double kUnlimited = 1e300;

struct Box {
  static constexpr const char* kSet = "b";
  static constexpr const char* kCut = "box_cut";
  static constexpr const char* kCutSummary =
      "b ← min(b, 1/(cut·u)), by no more than depth: the smallest box that keeps ⟨cut·u, q⟩ ≤ 1";
  static constexpr const char* kCutTrial = "box_cut_trial";
  static constexpr const char* kCutTrialSummary =
      "cuts the box by the pair (g, g_trial), then proposes from it";
  MDBOPT_INLINE static double cut(double b, double w, double, double) { return b / max(1.0, w); }
};

struct Simplex {
  static constexpr const char* kSet = "b";
  static constexpr const char* kCut = "simplex_cut";
  static constexpr const char* kCutSummary =
      "b ← b/(weight + (1−weight)·cut·u·b); cut carries the factor d";
  static constexpr const char* kCutTrial = "simplex_cut_trial";
  static constexpr const char* kCutTrialSummary =
      "cuts the simplex by the pair (g, g_trial), then proposes from it";
  MDBOPT_INLINE static double cut(double b, double w, double lambda, double mu) {
    return b / (lambda + mu * w);
  }
};

struct Ellipsoid {
  static constexpr const char* kSet = "axes";
  static constexpr const char* kCut = "ellipsoid_cut_at";
  static constexpr const char* kCutSummary = "axes ← axes/√(weight + (1−weight)·(cut·u·axes)²)";
  static constexpr const char* kCutTrial = "ellipsoid_cut_trial";
  static constexpr const char* kCutTrialSummary =
      "cuts the ellipsoid by the pair (g, g_trial), then proposes step·axes from it (the plain "
      "candidate)";
  MDBOPT_INLINE static double cut(double axis, double w, double lambda, double mu) {
    return axis / sqrt(lambda + mu * (w * w));
  }
};

template <class Shape>
MDBOPT_INLINE double shrink(double set, double u, double lambda, double depth,
                            const Limits& limits) {
  const double w = min(u * set, depth);
  const double cut = Shape::cut(set, w, lambda, 1.0 - lambda);
  return min(max(cut, limits.smallest), limits.largest);
}

}  // namespace mdbopt::MDBOPT_ISA
