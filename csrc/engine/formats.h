// formats – the loops that open and close chunks of each format, compiled once for an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../base/block_codes.h"
#include "../base/fold.h"
#include "../base/half.h"
#include "../base/remainder.h"
#include "format.h"
#include "rule.h"

namespace mdbopt::MDBOPT_ISA {

template <class Half>
struct HalfFormat {
  static void open(const void* stored, const void*, std::size_t count, float* block) {
    const auto* from = static_cast<const Half*>(stored);
    MDBOPT_INDEPENDENT
    for (std::size_t i = 0; i < count; ++i) block[i] = widen(from[i]);
  }
  static bool close(float* block, std::size_t count, const std::uint32_t* random, void* stored,
                    void*) {
    auto* to = static_cast<Half*>(stored);
    if (random == nullptr) {
      MDBOPT_INDEPENDENT
      for (std::size_t i = 0; i < count; ++i) to[i] = Nearest<Half>::of(block[i]);
    } else {
      MDBOPT_INDEPENDENT
      for (std::size_t i = 0; i < count; ++i) {
        to[i] = Stochastic<Half>::of(block[i], random[i] >> codes::kUnused);
      }
    }
    return true;
  }
};

struct RemainderFormat {
  static void open(const void* stored, const void* low, std::size_t count, float* block) {
    const auto* high = static_cast<const std::uint16_t*>(stored);
    const auto* rest = static_cast<const std::uint16_t*>(low);
    MDBOPT_INDEPENDENT
    for (std::size_t i = 0; i < count; ++i) block[i] = remainder::join(high[i], rest[i]);
  }
  static bool close(float* block, std::size_t count, const std::uint32_t*, void* stored,
                    void* low) {
    auto* high = static_cast<std::uint16_t*>(stored);
    auto* rest = static_cast<std::uint16_t*>(low);
    MDBOPT_INDEPENDENT
    for (std::size_t i = 0; i < count; ++i) {
      const remainder::Halves halves = remainder::split(block[i]);
      high[i] = halves.high;
      rest[i] = halves.low;
    }
    return true;
  }
};

// What rounds every element to nearest, as numbers that are drawn would stochastically.
struct ToNearest {
  MDBOPT_INLINE std::uint32_t operator[](std::size_t) const { return codes::kToNearest; }
};

// GCC widens bytes in two steps where a loop is longer than its widest vector of float32, with more work than the
// decoding itself; AVX-512 does so many in one.
#ifdef __AVX512F__
inline constexpr std::size_t kWidened = 16;
#else
inline constexpr std::size_t kWidened = 0;
#endif

template <class Kind>
struct CodesFormat {
  static void open(const void* stored, const void*, std::size_t count, float* block) {
    const auto* at = static_cast<const std::uint8_t*>(stored);
    for (std::size_t begin = 0; begin < count; begin += kBlock, at += kBlockBytes) {
      std::uint32_t unit;
      std::memcpy(&unit, at, sizeof unit);
      decode(at + sizeof unit, unit, block + begin);
    }
  }

  static void decode(const std::uint8_t* code, std::uint32_t unit, float* block) {
    if constexpr (kWidened > 0) {
      for (std::size_t begin = 0; begin < kBlock; begin += kWidened) {
        std::uint8_t some[kWidened];
        std::memcpy(some, code + begin, sizeof some);
        for (std::size_t i = 0; i < kWidened; ++i) {
          block[begin + i] = codes::decode(Kind{}, some[i], unit);
        }
      }
    } else {
      MDBOPT_INDEPENDENT
      for (std::size_t i = 0; i < kBlock; ++i) block[i] = codes::decode(Kind{}, code[i], unit);
    }
  }

  // In two steps, so that vectors of any width give the one result and GCC sees a maximum.
  static std::uint32_t largest(const float* block) {
    std::uint32_t lanes[kLanes] = {};
    for (std::size_t i = 0; i < kBlock; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const std::uint32_t magnitude = codes::magnitude(block[i + lane]);
        lanes[lane] = lanes[lane] > magnitude ? lanes[lane] : magnitude;
      }
    }
    std::uint32_t found = 0;
    for (const std::uint32_t lane : lanes) found = found > lane ? found : lane;
    return found;
  }

  template <class Added>
  static void encode(const float* block, std::uint32_t unit, Added added, std::uint8_t* code) {
    MDBOPT_INDEPENDENT
    for (std::size_t i = 0; i < kBlock; ++i) {
      code[i] = codes::encode(Kind{}, block[i], unit, added[i]);
    }
  }

  static bool close(float* block, std::size_t count, const std::uint32_t* random, void* stored,
                    void*) {
    auto* at = static_cast<std::uint8_t*>(stored);
    const std::size_t whole = blocks_of(count) * kBlock;
    for (std::size_t i = count; i < whole; ++i) block[i] = 0.0F;
    // All units before the first code, as a processor has other blocks to work on while one's maximum is folded.
    std::uint32_t units[kChunk / kBlock];
    bool finite = true;
    for (std::size_t begin = 0; begin < whole; begin += kBlock) {
      const std::uint32_t unit = codes::unit_of<Kind>(largest(block + begin));
      units[begin / kBlock] = unit;
      finite = finite && unit != codes::kNan;
    }
    for (std::size_t begin = 0; begin < whole; begin += kBlock, at += kBlockBytes) {
      const std::uint32_t unit = units[begin / kBlock];
      std::memcpy(at, &unit, sizeof unit);
      if (random == nullptr)
        encode(block + begin, unit, ToNearest{}, at + sizeof unit);
      else
        encode(block + begin, unit, random + begin, at + sizeof unit);
    }
    return finite;
  }
};

// The random bits of a chunk's elements, those of shared16.
struct Random {
  static void draw(std::uint64_t key, std::size_t count, std::uint32_t* random) {
    constexpr std::size_t half_chunk = kChunk / 2;
    auto place = static_cast<std::uint32_t>(key);
    MDBOPT_INDEPENDENT
    for (std::size_t i = 0; i < half_chunk; ++i) {
      const std::uint32_t both = mix32(place) ^ static_cast<std::uint32_t>(key >> 32);
      random[i] = both >> 16 << codes::kUnused;
      random[i + half_chunk] = (both & 0xffffU) << codes::kUnused;
      place += kPlaceStep;
    }
    std::memcpy(random + kChunk, random, (count - kChunk) * sizeof *random);
  }
};

template <class... Form>
inline constexpr CompiledFormats kCompiledFormats{{{Form::open, Form::close}...}, Random::draw};

// In the order of Format.
inline constexpr auto& kFormats =
    kCompiledFormats<HalfFormat<BFloat16>, HalfFormat<Float16>, CodesFormat<codes::Signed>,
                     CodesFormat<codes::Unsigned>, RemainderFormat>;

}  // namespace mdbopt::MDBOPT_ISA
