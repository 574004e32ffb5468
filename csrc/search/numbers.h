// numbers – the scalars of a search and what is decided on them, the same on host and device.
#pragma once

#include <cstdint>

#include "normaliser.h"

namespace mdbopt::search {

enum class Status : std::int64_t {
  kRunning = -1,
  kPrecision = 2,  // no step moves x any more, or no decrease can be told from rounding
  kNotFinite = 3,  // f or g is not finite at the start, or f decreases to −inf
};

struct Numbers {
  double f = 0.0;  // over the scale 2^exponent, as all that follows
  double gmax = 0.0;
  double trial_gmax = 0.0;  // NaN: the gradient at the trial was not looked at
  double gmax_start = 0.0;
  double noise = 0.0;         // of f, as seen lately
  double scale = 1.0;         // 2^−exponent: exact, and its reciprocal too
  double moved = 0.0;         // max|x⁺ − x| of the trial
  double longest_move = 0.0;  // of all accepted
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
  n.status = status == Status::kPrecision && falls ? Status::kNotFinite : status;
}

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
}

// Whether a trial's gradient is not finite or beyond what the search can square; counts one that
// also fell.
MDBOPT_INLINE bool out_of_range(Numbers& n, double f_trial, double gmax_trial, double huge) {
  if (gmax_trial < huge) return false;
  if (f_trial < n.f) ++n.infinite_descents;
  return true;
}

// Rounding may let f rise by a few units, but never above where it began.
MDBOPT_INLINE bool no_worse_than_start(const Numbers& n) {
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

// A trial is a gain when it lowers the least f by more than its rounding and noise, or the least max|g|
// by a tenth. Both are compared with what they were at the last gain, so that slow progress adds up
// to one. `patience` finite trials without a gain end the search: where the trapezoid stands in for
// f, a gradient that is noise, or no longer changes, promises a decrease for ever.
MDBOPT_INLINE void count_gain(Numbers& n, double f_trial, std::int64_t patience,
                              const Precision& limits) {
  constexpr double kFlatter = 0.9;
  constexpr double kUnits = 8.0;  // in the last place of f: its rounding
  const double rounding = larger(kUnits * limits.epsilon * absolute(n.least_f), n.noise);
  const bool lower = n.least_f - f_trial > rounding;
  const bool flatter = n.trial_gmax < kFlatter * n.least_gmax;
  if (lower) n.least_f = f_trial;
  if (flatter) n.least_gmax = n.trial_gmax;
  if (lower || flatter) {
    ++n.gains;
    n.quiet = 0;
    n.noise *= 0.5;
    return;
  }
  ++n.quiet;
  if (n.quiet >= patience && !ended(n)) end(n, Status::kPrecision);
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
