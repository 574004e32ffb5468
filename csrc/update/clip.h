// clip – the factor that takes the norm of all gradients down to its bound, on host and device.
//
//   total = ‖g‖ / grad_scale,   factor = min(1, max_norm / (total + 1e-6))   (as PyTorch's
//                                                                             clip_grad_norm_)
//
// It is 1 where the norm is within its bound, or the bound is inf; else NaN where the norm is.
#pragma once

#include "../base/fold.h"

namespace mdbopt::clip {

// How the gradients must be scaled for a second look at their norm, where squares left the range of
// float64; 0: no need of one.
MDBOPT_INLINE double second_scale(double norm2, double largest) {
  constexpr double kMost = 1.7976931348623157e308;
  const bool out_of_range = norm2 > kMost || norm2 < 1e-280;
  if (!out_of_range || !(largest > 0.0) || largest > kMost) return 0.0;
  const double inverse = 1.0 / largest;
  return inverse < 0x1p1000 ? inverse : 0x1p1000;
}

// norm2 is of the gradients times `scale`.
MDBOPT_INLINE double total(double norm2, double scale, double grad_scale) {
  return __builtin_sqrt(norm2) / scale / grad_scale;
}

MDBOPT_INLINE double factor(double total, double max_norm) {
  constexpr double kNormOffset = 1e-6;
  constexpr double kMost = 1.7976931348623157e308;
  const double bounded = max_norm / (total + kNormOffset);
  return max_norm > kMost || bounded >= 1.0 ? 1.0 : bounded;
}

}  // namespace mdbopt::clip
