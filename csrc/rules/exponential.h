// exponential – e^x in + − × only, so that its bits agree everywhere.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

constexpr double inverse_factorial(int k) {
  double result = 1.0;
  for (; k > 1; --k) result /= k;
  return result;
}
template <class Real, int k>
inline constexpr Real kInverseFactorial = Real(inverse_factorial(k));

// The terms of e^r from `power` on down, behind a sum of those above. No loop, in which nvcc would compute the
// factorials for every element.
template <int power, class Real>
MDBOPT_INLINE Real taylor(Real sum, [[maybe_unused]] Real r) {
  if constexpr (power < 0) {
    return sum;
  } else {
    return taylor<power - 1>(sum * r + kInverseFactorial<Real, power>, r);
  }
}

// For |x| ≤ 80: x = k ln 2 + r, |r| ≤ ½ ln 2, and a Taylor polynomial in r. Adding 3·2^(p−2), p the
// bits of a significand, rounds x/ln 2 to the whole number k and leaves k in the lowest bits, from
// where a shift makes it 2^k.
template <class Real>
MDBOPT_INLINE Real exp(Real x) {
  constexpr bool kDouble = sizeof(Real) == 8;
  using Bits = std::conditional_t<kDouble, std::uint64_t, std::uint32_t>;
  constexpr int kShift = kDouble ? 52 : 23;
  constexpr int kDegree = kDouble ? 13 : 7;  // the first term left out is below ½ ulp
  constexpr Real kRounder = kDouble ? Real(0x1.8p52) : Real(0x1.8p23);
  constexpr Real kLogHigh = Real(0.693145751953125);  // of few bits: k times it is exact
  constexpr Real kLogLow = Real(1.4286068203094172e-6);
  const Real rounded = x * Real(1.4426950408889634) + kRounder;
  const Real k = rounded - kRounder;
  const Real r = (x - k * kLogHigh) - k * kLogLow;
  const Real sum = taylor<kDegree - 1>(kInverseFactorial<Real, kDegree>, r);
  const Bits scale =
      (__builtin_bit_cast(Bits, rounded) << kShift) + __builtin_bit_cast(Bits, Real(1));
  return sum * __builtin_bit_cast(Real, scale);
}

}  // namespace mdbopt::MDBOPT_ISA
