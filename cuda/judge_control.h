// judge_control – a search's numbers on the device, what its walks are given, and the kernels of one
// thread that decide.
#pragma once

#include <cstdint>

#include "../csrc/device.h"
#include "../csrc/search/judging.h"
#include "walk.h"

namespace mdbopt::cuda {

// Not 0: the walk is not wanted.
struct Skip {
  std::uint32_t secant, rescale, accept, cut;
  std::uint32_t once;   // both of accept and cut: neither proposes
  std::uint32_t again;  // the trial is not proposed from x anew
};

struct Control {
  search::Judging judging;
  search::JudgingFacts facts;
  DeviceSearch arrays;
  double f_trial;  // over the scale
  double moving;   // max|x⁺ − x| of the trial being judged
  bool counts;     // f is finite there
  Skip skip;
  // Sums of the walks.
  double secant_sums[kMaxSums], norm_sums[kMaxSums], proposal_sums[kMaxSums];
  // What the walks are given. x and g change places with their spares, so that jobs are arranged
  // for each judgement.
  DeviceJob secant, advance, cut, trial, norm_there, norm_here;
  alignas(16) unsigned char secant_coef[kMaxCoefBytes];
  alignas(16) unsigned char cut_coef[kMaxCoefBytes];
  alignas(16) unsigned char norm_coef[kMaxCoefBytes];
  alignas(16) unsigned char propose_coef[kMaxCoefBytes];
};

// Takes f, and accepts or asks for the secant.
void queue_begin(Control* control, const DeviceNumber& f, void* g, const Place& place);
// Accepts, cuts or shrinks by the secant.
void queue_choose(Control* control, const Place& place);
// The step of a candidate that is divided by the norm just summed, for the proposal once or again.
void queue_step(Control* control, bool again, const Place& place);
// Takes what an accepted or cut trial proposes, unless the gradient there is out of range.
void queue_arrive(Control* control, const Place& place);
// Takes what was proposed again.
void queue_settle(Control* control, const Place& place);

}  // namespace mdbopt::cuda
