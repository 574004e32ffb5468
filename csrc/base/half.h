// half – bfloat16 and float16 as storage: widened exactly to float32, rounded back to nearest or
// stochastically.
//
// Everything is arithmetic on the bits, in flat selects, so that any vectoriser and any device
// gives the same bits without an instruction of its own. Ties go to even; what is too large becomes
// inf; NaN stays NaN, made quiet; subnormal numbers are kept.
#pragma once

#include <cstdint>

#include "fold.h"

namespace mdbopt {

struct BFloat16 {
  std::uint16_t bits;
};
struct Float16 {
  std::uint16_t bits;
};

// The type in which an update of such elements computes.
template <class T>
struct ArithmeticOf {
  using type = float;
};
template <>
struct ArithmeticOf<double> {
  using type = double;
};
template <class T>
using Arithmetic = typename ArithmeticOf<T>::type;

namespace half {

MDBOPT_INLINE std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
MDBOPT_INLINE float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

inline constexpr std::uint32_t kSign = 0x80000000;
inline constexpr std::uint32_t kInfinity = 0x7f800000;  // float32's inf
inline constexpr std::uint32_t kNan = 0x7fc00000;
inline constexpr std::uint32_t kBias = (127 - 15) << 23;   // between the exponents of both
inline constexpr std::uint32_t kLeastNormal = 0x38800000;  // 2^-14, float16's least normal number
inline constexpr std::uint32_t kTooLarge = 0x47800000;     // 2^16, beyond float16

// Of a float32 without its sign, in float16's range of normal numbers and below, given what to add
// to the bits that fall away.
MDBOPT_INLINE std::uint32_t narrow_normal(std::uint32_t bits, std::uint32_t added) {
  return (bits - kBias + added) >> 13;
}
MDBOPT_INLINE Float16 finish(std::uint32_t bits, std::uint32_t magnitude, std::uint32_t finite) {
  const std::uint32_t special = magnitude > kInfinity ? 0x7e00U : 0x7c00U;
  const std::uint32_t result = magnitude >= kTooLarge ? special : finite;
  return {static_cast<std::uint16_t>(result | ((bits & kSign) >> 16))};
}

}  // namespace half

MDBOPT_INLINE double widen(double x) { return x; }
MDBOPT_INLINE float widen(float x) { return x; }
MDBOPT_INLINE float widen(BFloat16 x) {
  return half::float_of(static_cast<std::uint32_t>(x.bits) << 16);
}
MDBOPT_INLINE float widen(Float16 x) {
  const std::uint32_t magnitude = x.bits & 0x7fffU;
  const std::uint32_t exponent = x.bits & 0x7c00U;
  const std::uint32_t normal = (magnitude << 13) + half::kBias;
  const float small = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F;
  std::uint32_t bits = exponent == 0 ? half::bits_of(small) : normal;
  bits = exponent == 0x7c00U ? normal + half::kBias : bits;
  return half::float_of(bits | static_cast<std::uint32_t>(x.bits & 0x8000U) << 16);
}

// Rounds to T, to nearest.
template <class T>
struct Nearest {
  template <class Real>
  MDBOPT_INLINE static T of(Real x) {
    return static_cast<T>(x);
  }
};
template <>
struct Nearest<BFloat16> {
  MDBOPT_INLINE static BFloat16 of(float x) {
    const std::uint32_t bits = half::bits_of(x);
    const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    const bool nan = (bits & ~half::kSign) > half::kInfinity;
    return {static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x40U : rounded)};
  }
};
template <>
struct Nearest<Float16> {
  MDBOPT_INLINE static Float16 of(float x) {
    const std::uint32_t bits = half::bits_of(x);
    const std::uint32_t magnitude = bits & ~half::kSign;
    // Beside ½ a float32 has the spacing of float16's subnormal numbers: the addition rounds.
    const std::uint32_t half_bits = half::bits_of(0.5F);
    const std::uint32_t small = half::bits_of(half::float_of(magnitude) + 0.5F) - half_bits;
    const std::uint32_t normal = half::narrow_normal(magnitude, 0xfffU + ((magnitude >> 13) & 1U));
    return half::finish(bits, magnitude, magnitude < half::kLeastNormal ? small : normal);
  }
};

// Rounds to T up with the probability of the part that falls away, given 16 random bits.
template <class T>
struct Stochastic;
template <>
struct Stochastic<BFloat16> {
  MDBOPT_INLINE static BFloat16 of(float x, std::uint32_t random) {
    const std::uint32_t bits = half::bits_of(x);
    const bool nan = (bits & ~half::kSign) > half::kInfinity;
    return {static_cast<std::uint16_t>((nan ? bits | 0x400000U : bits + random) >> 16)};
  }
};
template <>
struct Stochastic<Float16> {
  MDBOPT_INLINE static Float16 of(float x, std::uint32_t random) {
    const std::uint32_t bits = half::bits_of(x);
    const std::uint32_t magnitude = bits & ~half::kSign;
    const bool subnormal = magnitude < half::kLeastNormal;
    // In units of 2^-16 of the spacing of float16's subnormal numbers: a whole number below 2^26.
    const float units = subnormal ? half::float_of(magnitude) * 0x1p40F : 0.0F;
    const std::uint32_t small =
        (static_cast<std::uint32_t>(static_cast<std::int32_t>(units)) + random) >> 16;
    const std::uint32_t normal = half::narrow_normal(magnitude, random >> 3);
    return half::finish(bits, magnitude, subnormal ? small : normal);
  }
};

// A counter-based generator: the bits of an element follow from a key and its place alone, whatever
// thread rounds it. The key of a chunk is SplitMix64's output (Steele, Lea, Flood 2014); within it
// runs a 32-bit mixer of two multiplications (Wellons 2018, "lowbias32").
MDBOPT_INLINE std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}
// Of the parameters' t-th rounding.
MDBOPT_INLINE std::uint64_t rounding_key(std::uint64_t seed, std::uint64_t t) {
  return mix64(seed ^ mix64(t));
}
inline constexpr std::uint32_t kPlaceStep = 0x9e3779b9;
MDBOPT_INLINE std::uint32_t mix32(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}
MDBOPT_INLINE std::uint32_t random32(std::uint64_t chunk_key, std::uint32_t place) {
  return mix32(place * kPlaceStep + static_cast<std::uint32_t>(chunk_key)) ^
         static_cast<std::uint32_t>(chunk_key >> 32);
}
MDBOPT_INLINE std::uint32_t random16(std::uint64_t chunk_key, std::uint32_t place) {
  return random32(chunk_key, place) >> 16;
}
// The same for arrays in a format, at half the price: two elements of a chunk share a number.
MDBOPT_INLINE std::uint16_t shared16(std::uint64_t chunk_key, std::uint32_t place) {
  constexpr std::uint32_t half_chunk = kChunk / 2;
  const std::uint32_t both = random32(chunk_key, place % half_chunk);
  return static_cast<std::uint16_t>(place < half_chunk ? both >> 16 : both);
}

}  // namespace mdbopt
