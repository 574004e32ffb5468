// optimizer_numbers – an optimizer's numbers on the device, and the kernels of one thread that keep them.
#pragma once

#include <cstdint>

#include "../csrc/runtime/device.h"
#include "results.h"
#include "walk_arguments.h"

namespace mdbopt::cuda {

struct OptimizerNumbers {
  std::uint64_t t;    // steps taken
  std::uint64_t key;  // of the random bits of the current step
  double lr;
  double grad_scale;  // what gradients are multiplied by in the current step
  Results results;    // of the last step: the sums that carry numbers are the next step's scalars
  // The norm of the gradients, and once more with them scaled where squares left their range;
  // `again.refused` says that this was not needed.
  Results norm, again;
  double again_scale;  // is Norm's coef
  double total;        // that norm, of the gradients divided by their scale
  alignas(16) unsigned char coef[kMaxCoefBytes];
  alignas(16) unsigned char solved[kMaxCoefBytes];
  alignas(16) unsigned char following[kMaxCoefBytes];  // the coef of what follows an update
};

// What prepare, run by one thread at the start of a step, is given.
struct Preparing {
  OptimizerNumbers* numbers;
  double n;
  double scalars[kMaxScalars];
  std::uint32_t scalar_count, sum_count, carried_count;
  std::uint32_t t_scalar, grad_scale_scalar;  // kMaxScalars: absent
  struct {
    std::uint32_t scalar, sum;
  } carried[kMaxSums];
  double sign;  // −1 maximises
  double max_norm;
  double clipped;  // where max_norm is 0
  std::uint64_t seed;
  DeviceNumber grad_scale, lr, found_inf;
};

// Says whether the norm needs a second look, and with which scale.
void queue_second_look(OptimizerNumbers* numbers, const Location& location);

}  // namespace mdbopt::cuda
