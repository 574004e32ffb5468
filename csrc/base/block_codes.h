// block_codes – states of an update in 8 bits an element: blocks of 256 elements, each with a unit.
//
// The code of x in a block of unit s is the place of |x| + s among the float32 numbers whose last 20 bits
// are 0, counted from s: eight codes from each power of two to the next, evenly spaced at zero and in
// proportion to x beyond, as the µ-law of telephony spaces its codes. s is the least power of two whose
// last code but one is nearest to the largest element of the block, if not below it. So decoding is exact,
// and what was rounded to nearest and decoded has its code and unit again.
//
//   signed    a sign and 7 bits of magnitude: |x| up to 59,390 s
//   unsigned  8 bits of magnitude: x below 1.8125 · 2^31 s; what is not 0 has no code of 0, so that no
//             division by its root becomes one by 0
//
// To nearest, x is off by at most (|x| + s)/16, or by s/8 where it is kept from 0; stochastically it is rounded up with the probability of
// the part that falls away, to 16 bits. NaN, inf or what might be rounded to it, beyond 1.75 · 2^127 − s,
// makes the unit NaN, and with it the block.
#pragma once

#include <cstddef>
#include <cstdint>

#include "half.h"

namespace mdbopt {

inline constexpr std::size_t kBlock = 256;
// A block in memory: its unit, a float32, then the codes.
inline constexpr std::size_t kBlockBytes = sizeof(float) + kBlock;
constexpr std::size_t blocks_of(std::size_t size) { return (size + kBlock - 1) / kBlock; }

namespace codes {

inline constexpr std::uint32_t kShift = 20;  // bits of a float32 that fall away
inline constexpr std::uint32_t kUnused =
    4;  // of those, the last ones, which no random bits are for
inline constexpr std::uint32_t kToNearest = 1U << (kShift - 1);
inline constexpr std::uint32_t kLeastUnit = 1U << 23;  // 2^-126
using half::kNan;

struct Signed {
  static constexpr std::uint32_t kLast = 127;
};
struct Unsigned {
  static constexpr std::uint32_t kLast = 255;
};

MDBOPT_INLINE std::uint32_t magnitude(float x) { return half::bits_of(x) & ~half::kSign; }

// The unit's bits, by those of the block's largest magnitude.
template <class Kind>
MDBOPT_INLINE std::uint32_t unit_of(std::uint32_t largest) {
  // Whole numbers throughout: not every compiler for devices casts bits in constants.
  constexpr std::uint32_t exponents = Kind::kLast >> (23 - kShift);  // from 1 to the last code
  // Below the middle of the last two codes, 1.8125 · 2^exponents, with the 1 that was added in both of two
  // units that follow each other, where that counts.
  constexpr std::uint32_t added = exponents < 24 ? 1U << (24 - exponents) : 1U;
  // Carries into the exponent where the mantissa is above that.
  constexpr std::uint32_t carry = 0x7fffff - (0x680000 - added);
  const std::uint32_t exponent = (largest + carry) >> 23;
  const std::uint32_t unit = exponent > exponents ? (exponent - exponents) << 23 : kLeastUnit;
  // 1.75 · 2^127 without the greatest unit, 2^(127 − exponents).
  constexpr std::uint32_t most = 0x7f600000 - (exponents < 24 ? 1U << (23 - exponents) : 0U);
  return largest <= most ? unit : kNan;
}

MDBOPT_INLINE float decode(Signed, std::uint8_t code, std::uint32_t unit) {
  // The sign goes where a float32 has it.
  const auto wide =
      static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(code)));
  const float shifted = half::float_of(((wide & 0x7fU) << kShift) + unit);
  return half::float_of(half::bits_of(shifted - half::float_of(unit)) | (wide & half::kSign));
}
MDBOPT_INLINE float decode(Unsigned, std::uint8_t code, std::uint32_t unit) {
  return half::float_of((static_cast<std::uint32_t>(code) << kShift) + unit) - half::float_of(unit);
}

// `added` to the bits that fall away.
MDBOPT_INLINE std::uint32_t distance(std::uint32_t magnitude, std::uint32_t unit,
                                     std::uint32_t added) {
  return half::bits_of(half::float_of(magnitude) + half::float_of(unit)) - unit + added;
}
MDBOPT_INLINE std::uint8_t encode(Signed, float x, std::uint32_t unit, std::uint32_t added) {
  // The sign is set before the shift, so that only one number has to be narrowed.
  const std::uint32_t sign = (half::bits_of(x) & half::kSign) >> (31 - 7 - kShift);
  return static_cast<std::uint8_t>((distance(magnitude(x), unit, added) | sign) >> kShift);
}
MDBOPT_INLINE std::uint8_t encode(Unsigned, float x, std::uint32_t unit, std::uint32_t added) {
  // Numbers with a sign, though none is negative, since every instruction set has their minimum or
  // comparison; the result has a name, as the compiler would else narrow both numbers and compare those.
  const auto size = static_cast<std::int32_t>(magnitude(x));
  const std::int32_t least = size < 1 ? size : 1;
  const std::int32_t place =
      static_cast<std::int32_t>(distance(magnitude(x), unit, added)) >> kShift;
  const std::int32_t code = place > least ? place : least;
  return static_cast<std::uint8_t>(code);
}

}  // namespace codes
}  // namespace mdbopt
