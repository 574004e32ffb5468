// numbers – the scalars of a search and what is decided on them, the same on host and device.
#pragma once

#include <cstdint>

#include "normaliser.h"

namespace mdbopt::search {

enum class Status : std::int64_t {
  kRunning = -1,
  kPrecision = 2,  // no step moves x any more, or no decrease can be told from rounding
  kNotFinite = 3,  // f or g is not finite at the start, or f decreases to −inf
  kNoise = 4,      // no decrease can be told from the noise that f and g are said to have
};

struct Numbers {
  double f = 0.0;  // over the scale 2^exponent, as all that follows
  double gmax = 0.0;
  double trial_gmax = 0.0;  // NaN: the gradient at the trial was not looked at
  double gmax_start = 0.0;
  double noise = 0.0;  // of f, as seen lately
  // How far what is told of f, and of g in the 2-norm, may be from the truth, as the caller says.
  double error_f = 0.0, error_g = 0.0;
  double least_accepted = 0.0;  // where f has an error: the least f of all points x has been at
  double fallen = 0.0;          // what steps have surely won since the last gain
  double slope_errors = 0.0;    // likely ones of their slopes, summed
  double scale = 1.0;           // 2^−exponent: exact, and its reciprocal too
  double moved = 0.0;           // max|x⁺ − x| of the trial
  double longest_move = 0.0;    // of all accepted
  double f_told = 0.0;
  double f_trial_told = 0.0;
  double f_start_told = 0.0;
  std::int64_t exponent = 0;
  std::int64_t ncut = 0;
  std::int64_t accepted = 0;
  std::int64_t evaluations = 0;
  std::int64_t infinite_descents = 0;  // since the last accepted point
  double least_f = 0.0;                // of all trials, as of the last that was a gain
  double least_gmax = 0.0;             // likewise
  std::int64_t gains = 0;              // see count_gain
  std::int64_t quiet = 0;              // finite trials since the last gain
  Status status = Status::kRunning;
};

MDBOPT_INLINE double scaled(const Numbers& n, double value) { return value * n.scale; }
MDBOPT_INLINE double unscaled(const Numbers& n, double value) { return value * (1.0 / n.scale); }

// No judgement changes anything any more.
MDBOPT_INLINE bool ended(const Numbers& n) { return n.status != Status::kRunning || n.gmax == 0.0; }

MDBOPT_INLINE void end(Numbers& n, Status status) {
  constexpr double kBottomless = 1e30;  // in units of the first gradient: f has no minimum there
  // No step is left because f runs away downwards, not because x is good.
  const bool falls = n.infinite_descents > 0 ||
                     n.f < -kBottomless * larger(1.0, absolute(scaled(n, n.f_start_told)));
  n.status = status != Status::kNotFinite && falls ? Status::kNotFinite : status;
}

// Whether what is told has errors that the caller knows of.
MDBOPT_INLINE bool noisy(const Numbers& n) { return n.error_f > 0.0 || n.error_g > 0.0; }

// By how much a difference of f may be wrong.
MDBOPT_INLINE double difference_error(const Numbers& n) { return 2.0 * n.error_f; }

// Returns f over the scale.
MDBOPT_INLINE double begin_trial(Numbers& n, double f) {
  ++n.evaluations;
  n.f_trial_told = f;
  n.trial_gmax = __builtin_nan("");
  return scaled(n, f);
}

// An objective that has answered −inf this often is taken to have no minimum.
inline constexpr std::int64_t kInfiniteDescents = 30;

// For an f that is not finite: whether that was the end.
MDBOPT_INLINE bool has_no_minimum(Numbers& n) {
  if (!(n.f_trial_told < 0.0) || ++n.infinite_descents < kInfiniteDescents) return false;
  end(n, Status::kNotFinite);
  return true;
}

// x has moved to the trial, `moving` away.
MDBOPT_INLINE void move(Numbers& n, double f_trial, double moving) {
  ++n.accepted;
  n.infinite_descents = 0;
  n.longest_move = larger(n.longest_move, moving);
  n.f = f_trial;
  n.f_told = n.f_trial_told;
  n.least_accepted = smaller(n.least_accepted, f_trial);
}

// Whether a trial's gradient is not finite or beyond what the search can square; counts one that
// also fell.
MDBOPT_INLINE bool out_of_range(Numbers& n, double f_trial, double gmax_trial, double huge) {
  if (gmax_trial < huge) return false;
  if (f_trial < n.f) ++n.infinite_descents;
  return true;
}

// Rounding may let f rise by a few units, but never above where it began. With noise each step may seem
// to lower f while it rises, so that it is held to the least f so far.
MDBOPT_INLINE bool no_worse(const Numbers& n) {
  if (noisy(n)) return scaled(n, n.f_trial_told) <= n.least_accepted + difference_error(n);
  return n.f_trial_told <= n.f_start_told;
}

MDBOPT_INLINE bool noise(const Numbers& n, double f_trial, const Precision& limits) {
  return absolute(f_trial - n.f) <= limits.noise * absolute(n.f);
}

// f differences this small beside f are taken for noise where they contradict the slopes.
inline constexpr double kSmallDifference = 1e-5;

inline constexpr double kUnknownSlope = 1e300;

// Between x and the trial a convex f changes by no less than the slope ⟨g, x⁺ − x⟩ and no more than the
// slope at the trial. By how much a small difference leaves that interval says how large the noise of
// f is. Before x moves.
MDBOPT_INLINE void measure_noise(Numbers& n, double f_trial, double slope, double slope_trial) {
  const double difference = f_trial - n.f;
  const double outside = larger(slope - difference, difference - slope_trial);
  if (outside <= kSmallDifference * absolute(n.f)) n.noise = larger(n.noise, outside);
}

inline constexpr double kUnits = 8.0;  // in the last place of f: its rounding

// What steps have to win to be worth going on for where g has an error: they are made of it where they win
// a small share of what their slopes are off by, and a search whose f is exact creeps on for ever by
// what is right in them.
MDBOPT_INLINE double creep(const Numbers& n) {
  constexpr double kShare = 0.1;
  return kShare * n.slope_errors;
}

// What f has to fall by to be a gain, for the noise that it and g are said to have.
MDBOPT_INLINE double least_gain(const Numbers& n) { return larger(difference_error(n), creep(n)); }

// With noise: x has moved to where f is this much lower, give or take `error`.
MDBOPT_INLINE void count_fall(Numbers& n, double fall, double error, double slope_error) {
  if (!noisy(n)) return;
  n.fallen = larger(0.0, n.fallen + (fall - error));
  n.slope_errors += slope_error;
}

// Ends where no progress is left: by noise, where that is what hides it. Where nothing was surely won
// since the start, the gradient may as well be that of another function.
MDBOPT_INLINE void end_without_progress(Numbers& n, const Precision& limits) {
  const double unit = kUnits * limits.epsilon;
  const bool hidden =
      difference_error(n) > unit * absolute(n.least_f) || n.error_g > unit * n.gmax_start;
  const bool won = n.least_f < scaled(n, n.f_start_told) || n.least_gmax < n.gmax_start;
  end(n, hidden && won ? Status::kNoise : Status::kPrecision);
}

// A trial is a gain when it lowers the least f by more than its rounding and noise, or the least max|g|
// by a tenth, or where steps have surely won more than the rounding of f, which its noise may hide. Both are
// compared with what they were at the last gain, so that slow progress adds up to one. Many finite trials
// without a gain end the search: where the trapezoid stands in for f, a gradient that is noise, or no longer
// changes, promises a decrease for ever.
MDBOPT_INLINE void count_gain(Numbers& n, double f_trial, const Precision& limits) {
  constexpr double kFlatter = 0.9;
  const double rounding = kUnits * limits.epsilon * absolute(n.least_f);
  const bool lower = n.least_f - f_trial > larger(larger(rounding, n.noise), least_gain(n));
  const bool flatter = n.trial_gmax < kFlatter * n.least_gmax;
  if (lower) n.least_f = f_trial;
  if (flatter) n.least_gmax = n.trial_gmax;
  if (lower || flatter || n.fallen > larger(rounding, creep(n))) {
    ++n.gains;
    n.quiet = 0;
    n.noise *= 0.5;
    n.fallen = n.slope_errors = 0.0;
    return;
  }
  ++n.quiet;
}

// Whether a trial that moves x by `moved` can no longer tell anything: it must move x at all, and not
// be vanishingly short beside the steps so far while the gradient is as large as ever, as happens
// at a kink at the origin, where x has no last unit of precision to stop at.
MDBOPT_INLINE bool too_short(const Numbers& n, double moved, const Precision& limits) {
  const double epsilon = limits.epsilon;
  return !(moved > 0.0) ||
         (moved <= epsilon * epsilon * n.longest_move && n.gmax >= epsilon * n.gmax_start);
}

}  // namespace mdbopt::search
