// extent – the size of a set of candidates beside its array, the same on host and device: how far a
// candidate steps, how deep a pair cuts.
#pragma once

#include <cstdint>

#include "scalar.h"

namespace mdbopt::search {

enum class ShapeKind : std::uint8_t { kBox, kSimplex, kEllipsoid, kOneStepSize };

// What a set keeps for its life.
struct SetFacts {
  ShapeKind kind = ShapeKind::kBox;
  bool gradient_direction = false;
  bool cocoercive = true;
  double dimension = 1.0;
  double gamma = 1.0;
};

struct Extent {
  double growth = 1.0;
  double norm2 = 0.0;  // Σ (axes·g²)² of the candidate last proposed in the gradient's direction
  double scale = 1.0;  // of gradients
};

// What a walk that proposes a point says of it; the order of kTrialSums.
struct Proposal {
  double decrease = 0.0;  // Σ p g²; half of it is promised. With bounds −2⟨g, s⟩ − Σ s²/p
  double gmax = 0.0;      // max|g|, with bounds of the projected g, over the scale
  double moved = 0.0;     // max|x⁺ − x|
  double spent = 0.0;     // Σ s²/p: less than the decrease where a bound cuts the step short
  double penalty = 0.0;   // Σ l1 |x⁺|, not over the scale

  // ⟨g, x⁺ − x⟩, and what a penalty grows by.
  MDBOPT_INLINE double slope() const { return -0.5 * (decrease + spent); }
  MDBOPT_INLINE bool finite() const {
    return is_finite(decrease) && is_finite(gmax) && is_finite(moved);
  }
};

// What a pair of points says of the candidate p between them; the order of secant.h.
struct Secant {
  double slope = 0.0;      // Σ p g g⁺
  double curvature = 0.0;  // Σ p g (g − g⁺)
  double gmax = 0.0;       // max|g⁺|
  double spread = 0.0;     // what the shape's cut needs of the normal
};

// The range of a set's size: squares of it, of step sizes within it and of gradients near 1 stay
// finite.
inline constexpr double kLargestGrowth = 0x1p400;
inline constexpr double kSmallestGrowth = 0x1p-900;
// Cuts lower single step sizes and growth lowers none, so that the size runs away upwards: it goes
// into the array then.
inline constexpr double kFold = 0x1p300;
inline constexpr double kUnitSet = 1.0;  // the most that this walk, rescale, leaves in it
// The largest factor by which one pair may cut one step size: far beyond the 2 that the proofs
// need.
inline constexpr double kDepth = 100.0;

// The paper's cut stays as published; see rules/shapes.h for the limit.
MDBOPT_INLINE double depth(const SetFacts& facts) {
  constexpr double kNoLimit = 1e300;
  if (!facts.cocoercive) return kNoLimit;
  if (facts.kind == ShapeKind::kSimplex) return kDepth * facts.dimension;
  return facts.kind == ShapeKind::kEllipsoid ? larger(kDepth, root(2.0 * facts.dimension)) : kDepth;
}

// True: the caller must multiply the array by kFold.
MDBOPT_INLINE bool set_growth(const SetFacts& facts, Extent& extent, double growth) {
  extent.growth = clamped(growth, kSmallestGrowth, kLargestGrowth);
  if (growth <= kLargestGrowth || facts.kind == ShapeKind::kOneStepSize) return false;
  extent.growth = smaller(growth / kFold, kLargestGrowth);
  return true;
}

// Of the candidate in the plain direction.
MDBOPT_INLINE double plain_step(const SetFacts& facts, const Extent& extent) {
  const double boundary = facts.kind == ShapeKind::kEllipsoid ? root(facts.dimension) : 1.0;
  return facts.gamma / boundary * extent.growth;
}

MDBOPT_INLINE double step(const SetFacts& facts, const Extent& extent) {
  if (!facts.gradient_direction) return plain_step(facts, extent);
  return extent.norm2 > 0.0 ? facts.gamma * extent.growth / root(extent.norm2) : 0.0;
}

// λ of the closed form (algorithms of the paper, appendix D), with ℓ = Σ u² a. Not below 1: no cut.
MDBOPT_INLINE double closed_form_lambda(double ell, double d) {
  return ell > 1.0 ? ell / d * ((d - 1.0) / (ell - 1.0)) : 1.0;
}

// The scalars of a cut's walk.
struct Cutting {
  bool cuts;  // else the half-space is too far out to shrink the set
  double cut, lambda;
};

// By the pair with this normaliser ν > 0. λ of an ellipsoid is the closed form's.
MDBOPT_INLINE Cutting cutting(const SetFacts& facts, const Extent& extent, double spread,
                              double normaliser) {
  const double d = facts.dimension;
  const double cut = extent.growth / normaliser;
  if (facts.kind == ShapeKind::kSimplex) {
    return {true, d * extent.growth / normaliser, (d - 1.0) / (d - 0.5)};
  }
  if (facts.kind != ShapeKind::kEllipsoid) return {true, cut, 0.0};
  const double lambda = closed_form_lambda(spread * (cut * cut), d);
  return {lambda < 1.0, cut, lambda};
}

// The cut of one step size, which is all in its growth. False: as for Cutting.
MDBOPT_INLINE bool cut_growth(const SetFacts& facts, Extent& extent, double spread,
                              double normaliser) {
  if (!(spread * extent.growth > normaliser)) return false;
  extent.growth = larger(normaliser / spread, extent.growth / depth(facts));
  return true;
}

}  // namespace mdbopt::search
