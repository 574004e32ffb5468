// logarithm – ln x in + − × ÷ only, so that its bits agree everywhere.
#pragma once

#include "../engine/rule.h"

namespace mdbopt::MDBOPT_ISA {

// For normal x > 0: x = 2^k y, √½ < y ≤ √2, and ln y = 2(z + z³/3 + z⁵/5 + …), z = (y − 1)/(y + 1)
// within ±0.172: the first term left out is below 2^−60 z.
MDBOPT_HOST_DEVICE inline double log(double x) {
  constexpr std::uint64_t kFraction = (std::uint64_t{1} << 52) - 1;
  const auto bits = __builtin_bit_cast(std::uint64_t, x);
  double k = static_cast<double>(bits >> 52) - 1023.0;
  double y =
      __builtin_bit_cast(double, (bits & kFraction) | __builtin_bit_cast(std::uint64_t, 1.0));
  if (y > 1.4142135623730951) {
    y = 0.5 * y;
    k = k + 1.0;
  }
  const double z = (y - 1.0) / (y + 1.0);
  double sum = 0.0;
  for (int n = 23; n > 0; n -= 2) sum = sum * (z * z) + 1.0 / n;
  return k * 0.6931471805599453 + 2.0 * (z * sum);
}

}  // namespace mdbopt::MDBOPT_ISA
