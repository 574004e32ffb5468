// prepare – the start of a step on the device: t, the numbers carried over, the clip, and the rule's
// own prepare; then that of what follows the update.
#pragma once

#include <cuda_runtime.h>

#include "../csrc/base/half.h"
#include "../csrc/update/clip.h"
#include "optimizer_numbers.h"

namespace mdbopt::cuda {

__device__ inline double value_of(const DeviceNumber& number) {
  if (number.data == nullptr) return number.value;
  switch (number.dtype) {
    case Dtype::kFloat64:
      return *static_cast<const double*>(number.data);
    case Dtype::kFloat32:
      return *static_cast<const float*>(number.data);
    case Dtype::kBFloat16:
      return widen(*static_cast<const BFloat16*>(number.data));
    default:
      return widen(*static_cast<const Float16*>(number.data));
  }
}

__device__ inline double total_norm(const OptimizerNumbers& r, double grad_scale) {
  const bool again = r.again.refused == 0;
  const double norm2 = again ? r.again.sums[0] : r.norm.sums[0];
  return clip::total(norm2, again ? r.again_scale : 1.0, grad_scale);
}

// The same for every rule: false where the step is skipped.
__device__ inline bool begin_step(const Preparing& p, double* scalars) {
  OptimizerNumbers& r = *p.numbers;
  const bool bounds = p.max_norm > 0.0;
  const double grad_scale = value_of(p.grad_scale);
  if (bounds) r.total = total_norm(r, grad_scale);
  if (value_of(p.found_inf) != 0.0) return false;
  ++r.t;
  r.key = rounding_key(p.seed, r.t);
  r.lr = value_of(p.lr);
  for (std::uint32_t k = 0; k < p.scalar_count; ++k) scalars[k] = p.scalars[k];
  for (std::uint32_t k = 0; k < p.carried_count; ++k) {
    scalars[p.carried[k].scalar] = r.results.sums[p.carried[k].sum];
  }
  if (p.t_scalar < kMaxScalars) scalars[p.t_scalar] = static_cast<double>(r.t);
  if (p.grad_scale_scalar < kMaxScalars) {
    const double clipped = bounds ? clip::factor(r.total, p.max_norm) : p.clipped;
    r.grad_scale = p.sign * clipped / grad_scale;
    scalars[p.grad_scale_scalar] = r.grad_scale;
  }
  for (std::uint32_t k = 0; k < p.sum_count; ++k) r.results.sums[k] = 0.0;
  return true;
}

template <class Rule>
__global__ void prepare_kernel(const __grid_constant__ Preparing p) {
  double scalars[kMaxScalars];
  typename Rule::Coef coef;
  OptimizerNumbers& r = *p.numbers;
  const bool begun = begin_step(p, scalars) && make_coef<Rule>(scalars, p.n, coef);
  r.results.refused = begun ? 0 : 1;
  if (begun) *reinterpret_cast<typename Rule::Coef*>(r.coef) = coef;
}

// Of what follows an update, which sees the gradient as that does.
template <class Rule>
__global__ void prepare_following_kernel(const __grid_constant__ Preparing p) {
  OptimizerNumbers& r = *p.numbers;
  if (r.results.refused != 0) return;
  double scalars[kMaxScalars];
  for (std::uint32_t k = 0; k < p.scalar_count; ++k) scalars[k] = p.scalars[k];
  scalars[p.grad_scale_scalar] = r.grad_scale;
  make_coef<Rule>(scalars, p.n, *reinterpret_cast<typename Rule::Coef*>(r.following));
}

}  // namespace mdbopt::cuda
