// judge_guarded – a guarded search's numbers on the device, what its walks are given, and the kernels
// of one thread that decide.
#pragma once

#include <cstdint>

#include "../csrc/device.h"
#include "../csrc/search/guarding.h"
#include "walk.h"

namespace mdbopt::cuda {

struct Coefs {
  alignas(16) unsigned char bytes[kMaxCoefBytes];
};

// Five pairs, or one, on their way through the walks over all pairs.
struct Bundle {
  std::int64_t pairs;  // 5 or 1
  std::int64_t first;  // 0 the newest
  std::uint32_t skip_products, skip_direction;
  DeviceJob products, add_y, dots, add_s;
  Coefs y_weights, s_weights;
  double product_sums[kMaxSums], dot_sums[kMaxSums];
};

// Not 0: the walk is not wanted.
struct GuardedSkip {
  std::uint32_t measure, learn, rescale, copy, decrease, direction, coast, along, first, clear,
      plain;
};

struct GuardedControl {
  search::GuardedJudging judging;
  search::GuardingFacts facts;
  DeviceGuarded arrays;  // its s and y are spans of the device
  search::Tables tables;
  double *alpha, *yq;  // by pair
  Bundle* bundles;     // those of five first
  std::int64_t fives, singles;

  void* g_trial;
  double f_trial;  // over the scale
  double moving;   // max|x⁺ − x| of the trial being judged
  search::Measured trial;
  search::Next next;
  bool counts;  // f is finite there
  bool moved, promise_kept;
  bool clears;  // delta
  GuardedSkip skip;
  // Sums of the walks.
  double pair_sums[kMaxSums], learn_sums[kMaxSums], decrease_sums[kMaxSums];
  double slope_sums[kMaxSums], along_sums[kMaxSums], first_sums[kMaxSums], plain_sums[kMaxSums];
  // What the walks are given. x and g change places with their spares and pairs come and go, so that
  // jobs are arranged for each judgement.
  DeviceJob measure, learn, rescale, copy, decrease, scaled, metric, slope, coast, along, first,
      clear, plain;
  Coefs measure_coef, scale_coef, learn_coef, copy_coef, scaled_coef, metric_coef, coast_coef;
  Coefs along_coef, first_coef, clear_coef, plain_coef, rescale_coef;
};

// Takes f, and asks for the measure of the trial unless f says all.
void queue_guarded_begin(GuardedControl* control, const DeviceNumber& f, void* g,
                         const Place& place);
// Takes that measure, and asks for the pair to be learnt.
void queue_guarded_measured(GuardedControl* control, const Place& place);
// Accepts or not.
void queue_guarded_decide(GuardedControl* control, const Place& place);
// Settles the window; asks for the next trial.
void queue_guarded_choose(GuardedControl* control, const Place& place);
// The second loop of the recursion.
void queue_guarded_recall(GuardedControl* control, const Place& place);
// Takes what was tried, or asks for a plain step.
void queue_guarded_arrive(GuardedControl* control, const Place& place);
// Takes the plain step, and ends the judgement.
void queue_guarded_settle(GuardedControl* control, const Place& place);

}  // namespace mdbopt::cuda
