// judging – what multidimensional backtracking decides of a trial, the same on host and device.
#pragma once

#include <cstdint>

#include "extent.h"
#include "numbers.h"

namespace mdbopt::search {

// A gradient this many times the first one is beyond what a promise, a sum of fourth powers, can
// hold.
inline constexpr double kHuge = 1e60;
// How the set shrinks where a trial is not finite, and where a pair gives no cut.
inline constexpr double kQuarter = 0.25;
inline constexpr double kHalf = 0.5;

// See count_gain. Until the first accepted step there is no end to it: a first set that is far too
// large takes many cuts, and each brings that step nearer.
MDBOPT_INLINE std::int64_t patience_of_set(const Numbers& n) {
  constexpr std::int64_t kPatienceOfSets = 200;
  return n.accepted > 0 ? kPatienceOfSets : INT64_MAX;
}

// Outside of the noise of f.
MDBOPT_INLINE bool keeps_promise(const Numbers& n, const Proposal& proposal, double f_trial) {
  return f_trial - n.f + 0.5 * proposal.decrease <= 0.0;
}
// Within it, by the trapezoid.
MDBOPT_INLINE bool keeps_promise(const Numbers& n, const Proposal& proposal, const Secant& secant) {
  return secant.slope >= 0.5 * (proposal.decrease - proposal.spent) && no_worse(n) &&
         secant.gmax < kHuge;
}

// ν of the half-space by which a rejected candidate cuts; 0 where it gives none.
MDBOPT_INLINE double excluding(const Numbers& n, const Proposal& proposal, const Secant& secant,
                               double f_trial, bool cocoercive, bool bounded,
                               const Precision& limits) {
  const double nu = normaliser(n.f, f_trial, secant.slope, secant.curvature, cocoercive, limits);
  // What the half-space takes from the candidate at least, ⟨u, p⟩; a candidate it does not exclude
  // would come again.
  const double excluded = bounded ? secant.curvature * (secant.curvature / proposal.spent)
                                  : (cocoercive ? 1.0 : 0.5) * proposal.decrease -
                                        (cocoercive ? 2.0 : 1.0) * secant.slope;
  return nu > 0.0 && excluded >= nu ? nu : 0.0;
}

// Ends when the trial no longer differs from x.
MDBOPT_INLINE void end_if_too_short(Numbers& n, const Proposal& proposal, const Precision& limits) {
  n.moved = proposal.moved;
  if (n.gmax > 0.0 &&
      (!proposal.finite() || too_short(n, n.moved, limits) || !(proposal.decrease > 0.0))) {
    end(n, Status::kPrecision);
  }
}

}  // namespace mdbopt::search
