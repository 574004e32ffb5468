// remainder – a float32 number in two halves: the bfloat16 number nearest to it, and the difference of
// their bits, which has a sign.
//
// A tie goes away from 0, as the difference has to fit 16 bits. A NaN is the one whose halves are one, too.
#pragma once

#include <cstdint>

#include "half.h"

namespace mdbopt::remainder {

struct Halves {
  std::uint16_t high, low;
};

MDBOPT_INLINE float join(std::uint16_t high, std::uint16_t low) {
  const auto difference = static_cast<std::uint32_t>(static_cast<std::int16_t>(low));
  return half::float_of((static_cast<std::uint32_t>(high) << 16) + difference);
}

MDBOPT_INLINE Halves split(float x) {
  const std::uint32_t given = half::bits_of(x);
  const bool nan = (given & ~half::kSign) > half::kInfinity;
  const std::uint32_t bits = nan ? half::kNan : given;
  return {static_cast<std::uint16_t>((bits + 0x8000U) >> 16), static_cast<std::uint16_t>(bits)};
}

}  // namespace mdbopt::remainder
