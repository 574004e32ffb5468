// scalar – the arithmetic of decisions: + − × ÷ √ and comparisons, which have one result on host and
// device.
#pragma once

#include <cstdint>

#include "../base/fold.h"

namespace mdbopt::search {

MDBOPT_INLINE bool is_finite(double a) { return a - a == 0.0; }
MDBOPT_INLINE double absolute(double a) { return __builtin_fabs(a); }
MDBOPT_INLINE double root(double a) { return __builtin_sqrt(a); }
// As std::min, std::max and std::clamp: the first argument where either is NaN.
MDBOPT_INLINE double smaller(double a, double b) { return b < a ? b : a; }
MDBOPT_INLINE double larger(double a, double b) { return a < b ? b : a; }
MDBOPT_INLINE double clamped(double a, double least, double most) {
  if (a < least) return least;
  return most < a ? most : a;
}
// 2^−e with e the exponent of a > 0, within ±1000: the result and its reciprocal are normal.
MDBOPT_INLINE double unit_over(double a) {
  constexpr std::int64_t kBias = 1023;
  constexpr std::int64_t kMost = 1000;
  std::int64_t e =
      static_cast<std::int64_t>(__builtin_bit_cast(std::uint64_t, a) >> 52U & 0x7ffU) - kBias;
  if (e < -kMost) e = -kMost;
  if (e > kMost) e = kMost;
  return __builtin_bit_cast(double, static_cast<std::uint64_t>(kBias - e) << 52U);
}

}  // namespace mdbopt::search
