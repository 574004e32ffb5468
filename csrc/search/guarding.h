// guarding – what the guarded search decides of a trial, the same on host and device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "extent.h"
#include "metric.h"
#include "numbers.h"
#include "recursion.h"

namespace mdbopt::search {

enum GuardState : std::int64_t { kFirst, kDirection, kPlain };

// The trial to be written next.
enum class Next : std::uint8_t { kNone, kFirst, kDirection, kAlong, kCoast, kPlain };

struct Guarding {
  std::int64_t state = kFirst;
  double t = 1.0;  // along delta, or of the first step
  std::int64_t tries = 0;
  std::int64_t plain_fails = 0;
  double unit_step = 1.0;   // the first step's length over ‖g‖
  double first_step = 1.0;  // the same at x0
  double growth = 0.0;      // the box is growth·b; 0 until the first finite trial opens it
  double largest_growth = 0.0;
  std::int64_t window_steps = 0, window_kept = 0;
  double window_won = 0.0;
  std::int64_t reopened = -1;  // the gains there were when the box was last opened anew
  std::int64_t reopening = 0;  // 1: it is to be, before anything else
  // With bounds: the largest of what they cut off a trial along delta, the whole step over what is left
  // of it, 0 where they did not; and what a plain trial promised.
  double over = 0.0, promised = 0.0;
};

// What a guarded search keeps for its life.
struct GuardingFacts {
  double gamma;
  double forward;
  bool cocoercive;
  double unaligned;  // 1/√d: the share of a vector that is along one which knows nothing of it
};

// What the walk over a trial says; gradients over the scale.
struct Measured {
  double f, difference, gs, gs_trial, sy, sy_stored, gmax;
  bool curved;
  bool certain;     // that y is mostly what it is told to be
  double promised;  // the change of f that a plain step promises at most
  // Of the difference, as it is taken, and of f's own; see measured.
  double error;
  PairErrors errors;
};

inline constexpr double kTooSteep = 1e30;  // over the first gradient: out of a float32 pair's range
inline constexpr double kCoast = 4.0;      // over a step that met no positive curvature
inline constexpr double kShorter = 0.1;    // of a trial that is not finite
inline constexpr double kHalved = 0.5;  // of the box, or a plain step, where a promise was broken
// Of ⟨s, y⟩ over the error of a slope, for a pair to be curved: 2(1 + c₃) with c₃ = ½.
inline constexpr double kControl = 3.0;
// See count_gain.
MDBOPT_INLINE std::int64_t patience(const Numbers& n) {
  constexpr std::int64_t kPatience = 90;
  constexpr std::int64_t kNoisy = 40;
  return noisy(n) ? kNoisy : kPatience;
}

inline constexpr std::size_t kPairSums = 9;
// From the sums of the rule pair. A slope ⟨g, s⟩ is off by no more than error_g ‖s‖, ⟨s, y⟩ by twice
// that. By the noise control of Shi, Xie, Byrd and Nocedal 2022 a third of what is told of ⟨s, y⟩ is then
// true, whatever the noise; that makes a pair certain. For it to be curved, that has to hold of noise
// that does not point along s: the guard does not rest on it. The trapezoid, off as a slope is, also
// stands in for a difference that is within the error of f, where it knows better.
MDBOPT_INLINE Measured measured(const Numbers& n, double f, const double* sums,
                                const Precision& limits, double unaligned) {
  const PairErrors errors{difference_error(n), n.error_g * root(sums[8])};
  Measured trial{
      f,
      f - n.f,
      sums[0],
      sums[1],
      sums[2],
      sums[7],
      sums[4],
      sums[2] > limits.epsilon * sums[3] && sums[2] >= kControl * unaligned * errors.slope,
      sums[2] >= kControl * errors.slope,
      0.5 * sums[0],
      errors.difference,
      errors};
  const bool lost =
      errors.slope < errors.difference && absolute(trial.difference) <= errors.difference;
  if (lost || noise(n, f, limits)) {
    trial.difference = 0.5 * (trial.gs + trial.gs_trial);
    trial.error = errors.slope;
  }
  return trial;
}

// Armijo's condition, relaxed by what the difference may be off by: Berahas, Byrd and Nocedal 2019.
MDBOPT_INLINE bool wins(const Numbers& n, const Measured& trial) {
  constexpr double kArmijo = 1e-4;  // the share of its slope's promise a step must win
  return trial.gs < 0.0 && trial.difference <= kArmijo * trial.gs + trial.error && no_worse(n);
}

// --- the box -------------------------------------------------------------------------------------
MDBOPT_INLINE void set_growth(Guarding& guard, double growth) {
  guard.growth = smaller(growth, kLargestGrowth);
  guard.largest_growth = guard.growth * kFold;
}

MDBOPT_INLINE void open_box(Guarding& guard, double step) {
  constexpr double kRoom = 1e10;  // over the first step: cuts are free, growth is slow
  if (guard.growth == 0.0) set_growth(guard, kRoom * step);
}

// Takes any b to 1, the most that the walk rescale leaves.
inline constexpr double kReopening = 1e300;

// No plain step is left: it no longer moves x, or none of many has won. While there are valid step
// sizes in the box this is the end, as none of them moves x. Where f is not smooth in one metric,
// pairs from far away may have cut the box down to nothing: it is opened anew, if anything was won
// since the last time.
MDBOPT_INLINE void spend(Guarding& guard, Numbers& n, const Precision& limits) {
  if (guard.reopened == n.gains) return end_without_progress(n, limits);
  guard.reopened = n.gains;
  guard.reopening = 1;
}

// The search starts afresh from x, with b = 1 and without pairs, which are the caller's to see to. The
// first step is as long as that from x0, where a number can say so: with l1, g may all but have vanished.
MDBOPT_INLINE void reopen(Guarding& guard, const Numbers& n) {
  guard.reopening = 0;
  guard.state = kFirst;
  guard.t = 1.0;
  guard.tries = guard.plain_fails = 0;
  constexpr double kLargest = 1e300;
  guard.unit_step = clamped(guard.first_step * (n.gmax_start / n.gmax), 1.0 / kLargest, kLargest);
  guard.growth = guard.largest_growth = 0.0;
}

// True: the caller must multiply b by kFold.
MDBOPT_INLINE bool grow(Guarding& guard, DiagonalMetric& metric, double factor) {
  guard.growth *= factor;
  if (guard.growth <= guard.largest_growth) return false;
  metric.box_rescaled(kFold);
  guard.growth = smaller(guard.growth / kFold, kLargestGrowth);
  return true;
}

// --- the line of a trial -------------------------------------------------------------------------
// Minimisers on (0, t] of the cubic through (0, 0) and (t, df) with slopes d0 < 0 and d1, and of
// the parabola with those slopes; 0 where there is none.
struct LineMinimiser {
  double cubic, secant;

  // The further they are apart, the less is f a parabola between both ends. Where the cubic's is far
  // beyond, f grows beyond the end of the line as it does nowhere near x, and the pair's curvature
  // says nothing of x.
  MDBOPT_INLINE bool misleads() const { return cubic > kFar * secant; }
  MDBOPT_INLINE bool straight() const { return kFar * cubic >= secant && !misleads(); }

 private:
  static constexpr double kFar = 2.0;
};

MDBOPT_INLINE LineMinimiser line_minimiser(double t, const Measured& trial) {
  const double d0 = trial.gs / t;
  const double d1 = trial.gs_trial / t;
  const double secant = d1 > d0 ? t * d0 / (d0 - d1) : 0.0;
  const double a = d0 + d1 - 3.0 * trial.difference / t;
  const double r = root(a * a - d0 * d1);
  // Two forms of one root, each free of cancellation on its side.
  const double cubic =
      d0 + a < 0.0 ? t * (d0 / (d0 + a - r)) : t * (1.0 - (d1 + r - a) / (d1 - d0 + 2.0 * r));
  return {cubic > 0.0 ? smaller(cubic, t) : secant, secant};
}

// Whether a plain step won what it promised, or noise may have hidden it: a broken promise is certain.
MDBOPT_INLINE bool kept(const Measured& trial) {
  return trial.difference <= trial.promised + (trial.error + trial.errors.slope);
}

// The scalars of the walk that learns a curved pair.
struct Learning {
  double cut, depth;
  double error;  // of an element of y, at most
};

// Whether it is learnt at all. A failed direction that misleads is not: leaving a cut out keeps every
// step size.
MDBOPT_INLINE bool learns(const Guarding& guard, const Numbers& n, const Measured& trial) {
  if (!trial.curved) return false;
  return guard.state == kPlain || wins(n, trial) || !line_minimiser(guard.t, trial).misleads();
}

MDBOPT_INLINE Learning learning(const Guarding& guard, const Numbers& n, const Measured& trial,
                                const GuardingFacts& facts, const Precision& limits) {
  constexpr double kNoLimit = 1e300;
  constexpr double kRounding = 1.0 - 0x1p-22;  // keeps a cut by a float32 y on the safe side
  const double error = 2.0 * n.error_g / kRounding;
  double nu = largest_curvature(trial.sy, trial.errors);
  if (guard.state == kPlain && !kept(trial)) {
    nu =
        normaliser(n.f, trial.f, -trial.gs_trial, trial.sy, facts.cocoercive, limits, trial.errors);
  } else if (!facts.cocoercive) {
    return {0.0, kNoLimit, error};
  }
  // A plain step must cut, but the curvature of its far end is not that of x: as for the sets.
  const bool far = guard.state == kPlain && line_minimiser(guard.t, trial).misleads();
  return {nu > 0.0 ? kRounding * guard.growth / nu : 0.0, far ? kDepth : kNoLimit, error};
}

// A plain step has broken its promise. Where f is not convex, it cuts nothing to half, and the box is
// halved. With noise it may cut nothing because no coordinate is to blame with certainty, and the box
// stays. Returns as grow.
MDBOPT_INLINE bool break_promise(Guarding& guard, Numbers& n, DiagonalMetric& metric,
                                 const Measured& trial, const Fit& fit) {
  if (!(trial.curved && fit.deepest >= 2.0)) return noisy(n) ? false : grow(guard, metric, kHalved);
  ++n.ncut;
  return false;
}

// --- after a trial that does not win -------------------------------------------------------------
// Trial points of one direction before a plain step: when f was nearly a parabola along the last of
// them, and when it was not or a trial was not finite, so that all there is to learn is t.
inline constexpr std::int64_t kTries = 5;
inline constexpr std::int64_t kMostTries = 20;
// Of these, after which a straight one is relearnt. Directions that stay too long need more than a pair.
inline constexpr std::int64_t kRelearnt = 2;

MDBOPT_INLINE double shorter(double cubic, double least, double t) {
  return cubic > 0.0 ? clamped(cubic, least * t, 0.7 * t) : 0.1 * t;
}

// A trial that ends where it meets its first bound is as much as not cut short, to the rounding of x.
MDBOPT_INLINE bool cut_short(const Guarding& guard) {
  constexpr double kCut = 1.001;
  return guard.over > kCut;
}

// Of a direction that bounds have cut short. Up to the first bound that it meets the trial was the
// direction's own, so t need not fall below that; the pair says little of how it goes on, as the same
// direction would be cut short again.
MDBOPT_INLINE double shorter_at_bounds(double cubic, double over, double t) {
  const double first_bound = t / over;
  if (cubic > 0.0) return smaller(larger(cubic, first_bound), 0.7 * t);
  return clamped(first_bound, 0.1 * t, 0.7 * t);
}

// Of the first step or a direction. kDirection: the pair is to be remembered first.
MDBOPT_INLINE Next after_failure(Guarding& guard, const Measured& trial, bool relearns) {
  constexpr std::int64_t kFirstTries = 60;
  ++guard.tries;
  const LineMinimiser line = line_minimiser(guard.t, trial);
  if (guard.state == kFirst) {
    // The length of the first step is a guess, which may be off by any factor.
    guard.t = shorter(line.cubic, 0x1p-40, guard.t);
    return guard.tries >= kFirstTries ? Next::kPlain : Next::kFirst;
  }
  if (cut_short(guard)) {
    guard.t = shorter_at_bounds(line.cubic, guard.over, guard.t);
    return guard.tries >= kMostTries ? Next::kPlain : Next::kAlong;
  }
  const bool straight = trial.curved && line.straight();
  if (guard.tries >= (straight ? kTries : kMostTries)) return Next::kPlain;
  if (relearns && straight && guard.tries <= kRelearnt) return Next::kDirection;
  guard.t = shorter(line.cubic, 0.1, guard.t);
  return Next::kAlong;
}

MDBOPT_INLINE Next after_plain_failure(Guarding& guard, Numbers& n, const Precision& limits) {
  constexpr std::int64_t kPlainFails = 60;  // in a row: nothing will help
  if (++guard.plain_fails < kPlainFails) return Next::kPlain;
  spend(guard, n, limits);
  return Next::kNone;
}

// f or g is not finite there. Where it was a plain step, a tenth of the box is to be taken first.
MDBOPT_INLINE Next after_hole(Guarding& guard, Numbers& n, const Precision& limits) {
  constexpr std::int64_t kFirstHoles = 400;  // tenths that take any first step to nothing
  ++guard.tries;
  if (guard.state == kPlain) return after_plain_failure(guard, n, limits);
  guard.t *= kShorter;
  if (guard.tries >= (guard.state == kFirst ? kFirstHoles : kMostTries)) return Next::kPlain;
  return guard.state == kFirst ? Next::kFirst : Next::kAlong;
}

// --- after an accepted step ----------------------------------------------------------------------
MDBOPT_INLINE void arrive(Guarding& guard, Numbers& n, const Measured& trial,
                          const GuardingFacts& facts) {
  if (guard.state == kPlain) {
    guard.plain_fails = 0;
    guard.t = 1.0;
  }
  n.gmax = trial.gmax;
  n.f = trial.f;
  count_fall(n, -trial.difference, trial.error, facts.unaligned * trial.errors.slope);
  guard.tries = 0;
}

// Returns as grow.
MDBOPT_INLINE bool grow_after(Guarding& guard, DiagonalMetric& metric, bool promise_kept,
                              double forward) {
  constexpr double kDirectionShare = 0.2;  // of that growth, after a step of the proposer
  if (promise_kept) return grow(guard, metric, forward);
  if (guard.state == kPlain) return false;
  return grow(guard, metric, 1.0 + kDirectionShare * (forward - 1.0));
}

inline constexpr std::int64_t kWindow = 10;  // accepted steps between two settlements of the guard

// True: the window is to be settled.
MDBOPT_INLINE bool count_step(Guarding& guard, const Measured& trial, bool promise_kept) {
  ++guard.window_steps;
  guard.window_won -= trial.difference;
  if (promise_kept) ++guard.window_kept;
  return guard.window_steps >= kWindow;
}

// What the steps of the window won against as many plain promises from where it ended. True: a plain
// step is owed.
MDBOPT_INLINE bool overdue(Guarding& guard, const Numbers& n, double promise) {
  const double won = guard.window_won + difference_error(n);
  if (won >= static_cast<double>(kWindow) * promise || guard.window_kept >= kWindow) {
    guard.window_steps = guard.window_kept = 0;
    guard.window_won = 0.0;
    return false;
  }
  return guard.state != kPlain;
}

MDBOPT_INLINE Next after_step(const Guarding& guard, const Measured& trial, bool owes) {
  if (owes) return Next::kPlain;
  // With noise a pair may not be curved because it is too short, which a longer step mends.
  const double error = trial.errors.slope;
  const bool falls_on = trial.gs_trial <= trial.gs + kControl * error && trial.gs_trial <= -error;
  const bool coasts = !trial.curved && guard.state != kPlain && falls_on;
  return coasts ? Next::kCoast : Next::kDirection;
}

// --- trials --------------------------------------------------------------------------------------
MDBOPT_INLINE void begin_direction(Guarding& guard) {
  guard.state = kDirection;
  guard.t = 1.0;
}

MDBOPT_INLINE void begin_plain(Guarding& guard) {
  if (guard.state != kPlain) guard.t = 1.0;  // else it failed, and is as long as is left of it
  guard.state = kPlain;
  guard.tries = 0;
  open_box(guard, guard.unit_step);
}

// The trial just written is not finite. A plain one needs a tenth of the box, too.
MDBOPT_INLINE Next after_overshoot(Guarding& guard) {
  if (guard.state == kPlain) return Next::kPlain;
  guard.t *= kShorter;
  if (!(guard.t > 0.0)) return Next::kPlain;  // delta itself, or the first step, is not finite
  return guard.state == kFirst ? Next::kFirst : Next::kAlong;
}

MDBOPT_INLINE bool downhill(double slope) { return slope < 0.0 && is_finite(slope); }

MDBOPT_INLINE void spend_if_too_short(Guarding& guard, Numbers& n, double decrease,
                                      const Precision& limits) {
  if (too_short(n, n.moved, limits) || !(decrease > 0.0)) spend(guard, n, limits);
}

}  // namespace mdbopt::search
