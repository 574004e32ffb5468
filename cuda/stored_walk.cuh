// stored_walk – the walk over arrays of which some are in a format (csrc/engine/format.h), and over those of an update
// that something follows: opened, stepped and closed in registers.
//
// A warp takes a block of 256 elements, the ones that share a unit where they are codes. Its threads have eight each:
// in packs of four where they can be moved so, or, where the walk sums, the rows of 32 of sweep.cuh.
#pragma once

#include <cstring>

#include "../csrc/base/block_codes.h"
#include "../csrc/base/remainder.h"
#include "sweep.cuh"

namespace mdbopt::cuda {

__device__ inline std::uint32_t largest_of_warp(std::uint32_t value) {
  for (unsigned half = kWarp / 2; half > 0; half /= 2) {
    const std::uint32_t other = __shfl_down_sync(~0U, value, half);
    value = value > other ? value : other;
  }
  return __shfl_sync(~0U, value, 0);
}

inline constexpr std::size_t kOfThread = kBlock / kWarp;
inline constexpr std::size_t kOfPack = 4;

// A block of an array, as the threads of a warp move it.
template <bool kInRows>
struct BlockOf {
  std::size_t begin, count;  // in its array; behind `count` there are no elements
  bool packed;

  // The e-th element of this thread.
  __device__ static std::size_t at(std::size_t e) {
    const std::size_t lane = threadIdx.x % kWarp;
    if constexpr (kInRows) return e * kWarp + lane;
    return (e / kOfPack * kWarp + lane) * kOfPack + e % kOfPack;
  }
  __device__ bool has(std::size_t e) const { return count == kBlock || at(e) < count; }

  template <class Stored>
  __device__ void load(const Stored* block, Stored (&to)[kOfThread], bool whole) const {
    if (!kInRows && whole) {
#pragma unroll
      for (std::size_t e = 0; e < kOfThread; e += kOfPack) {
        const auto pack = cuda::load<Stored, kOfPack>(block + at(e));
#pragma unroll
        for (std::size_t j = 0; j < kOfPack; ++j) to[e + j] = pack.at[j];
      }
      return;
    }
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) to[e] = has(e) ? block[at(e)] : Stored{};
  }
  template <class Stored>
  __device__ void store(Stored* block, const Stored (&from)[kOfThread], bool whole) const {
    if (!kInRows && whole) {
#pragma unroll
      for (std::size_t e = 0; e < kOfThread; e += kOfPack) {
        Pack<Stored, kOfPack> pack;
#pragma unroll
        for (std::size_t j = 0; j < kOfPack; ++j) pack.at[j] = from[e + j];
        cuda::store(block + at(e), pack);
      }
      return;
    }
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      if (has(e)) block[at(e)] = from[e];
    }
  }
  template <class Stored>
  __device__ void load(const Stored* array, Stored (&to)[kOfThread]) const {
    load(in_global_memory(array) + begin, to, packed && count == kBlock);
  }
  template <class Stored>
  __device__ void store(Stored* array, const Stored (&from)[kOfThread]) const {
    store(in_global_memory(array) + begin, from, packed && count == kBlock);
  }
};

// The stream of a job, opened and closed.
template <class T, bool kInRows>
struct StoredStream {
  using Block = BlockOf<kInRows>;
  const Stretch& stretch;
  std::size_t k;  // of the rule's streams

  __device__ Format format() const {
    constexpr std::uint32_t mask = (1U << kFormatBits) - 1;
    return static_cast<Format>(stretch.stored->formats >> (kFormatBits * k) & mask);
  }
  __device__ bool stochastic() const { return (stretch.stored->stochastic >> k & 1U) != 0; }
  template <class Stored>
  __device__ Stored* data() const {
    return in_global_memory(static_cast<Stored*>(stretch.job.streams[k]));
  }
  __device__ std::uint8_t* codes(const Block& block) const {
    return data<std::uint8_t>() + block.begin / kBlock * kBlockBytes;
  }
  // As CompiledFormats::draw numbers them.
  __device__ std::uint16_t random(const Block& block, std::size_t e) const {
    const std::size_t place = block.begin - stretch.chunk_begin + Block::at(e) + k * kApart;
    return shared16(stretch.chunk_key, static_cast<std::uint32_t>(place % kChunk));
  }

  template <class Half>
  __device__ void open_halves(const Block& block, T (&x)[kOfThread]) const {
    std::uint16_t bits[kOfThread];
    block.load(data<std::uint16_t>(), bits);
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) x[e] = widen(Half{bits[e]});
  }
  template <class Half>
  __device__ void close_halves(const Block& block, const T (&x)[kOfThread]) const {
    std::uint16_t bits[kOfThread];
    const bool draws = stochastic();
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      const auto value = static_cast<float>(x[e]);
      const Half stored =
          draws ? Stochastic<Half>::of(value, random(block, e)) : Nearest<Half>::of(value);
      bits[e] = stored.bits;
    }
    block.store(data<std::uint16_t>(), bits);
  }
  __device__ void open_remainder(const Block& block, T (&x)[kOfThread]) const {
    std::uint16_t high[kOfThread], low[kOfThread];
    block.load(data<std::uint16_t>(), high);
    block.load(stretch.stored->low, low);
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) x[e] = remainder::join(high[e], low[e]);
  }
  __device__ void close_remainder(const Block& block, const T (&x)[kOfThread]) const {
    std::uint16_t high[kOfThread], low[kOfThread];
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      const remainder::Halves halves = remainder::split(static_cast<float>(x[e]));
      high[e] = halves.high;
      low[e] = halves.low;
    }
    block.store(data<std::uint16_t>(), high);
    block.store(stretch.stored->low, low);
  }
  template <class Kind>
  __device__ void open_codes(const Block& block, T (&x)[kOfThread]) const {
    std::uint32_t unit;
    memcpy(&unit, codes(block), sizeof unit);
    std::uint8_t code[kOfThread];
    block.load(codes(block) + sizeof unit, code, block.packed);
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) x[e] = codes::decode(Kind{}, code[e], unit);
  }
  // What is behind the last element has a code of 0, and is stored as all.
  template <class Kind>
  __device__ void close_codes(Block block, const T (&x)[kOfThread]) const {
    float given[kOfThread];
    std::uint32_t largest = 0;
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      given[e] = block.has(e) ? static_cast<float>(x[e]) : 0.0F;
      const std::uint32_t magnitude = codes::magnitude(given[e]);
      largest = largest > magnitude ? largest : magnitude;
    }
    const std::uint32_t unit = codes::unit_of<Kind>(largest_of_warp(largest));
    if (threadIdx.x % kWarp == 0) memcpy(codes(block), &unit, sizeof unit);
    std::uint8_t code[kOfThread];
    const bool draws = stochastic();
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      const std::uint32_t added = draws ? static_cast<std::uint32_t>(random(block, e))
                                              << codes::kUnused
                                        : codes::kToNearest;
      code[e] = codes::encode(Kind{}, given[e], unit, added);
    }
    block.count = kBlock;
    block.store(codes(block) + sizeof unit, code, block.packed);
  }

  __device__ void open(const Block& block, T (&x)[kOfThread]) const {
    if constexpr (std::is_same_v<T, float>) {
      switch (format()) {
        case Format::kBFloat16:
          return open_halves<BFloat16>(block, x);
        case Format::kFloat16:
          return open_halves<Float16>(block, x);
        case Format::kSignedCodes:
          return open_codes<codes::Signed>(block, x);
        case Format::kUnsignedCodes:
          return open_codes<codes::Unsigned>(block, x);
        case Format::kRemainder:
          return open_remainder(block, x);
        case Format::kPlain:
          break;
      }
    }
    block.load(data<T>(), x);
  }
  __device__ void close(const Block& block, const T (&x)[kOfThread]) const {
    if constexpr (std::is_same_v<T, float>) {
      switch (format()) {
        case Format::kBFloat16:
          return close_halves<BFloat16>(block, x);
        case Format::kFloat16:
          return close_halves<Float16>(block, x);
        case Format::kSignedCodes:
          return close_codes<codes::Signed>(block, x);
        case Format::kUnsignedCodes:
          return close_codes<codes::Unsigned>(block, x);
        case Format::kRemainder:
          return close_remainder(block, x);
        case Format::kPlain:
          break;
      }
    }
    block.store(data<T>(), x);
  }
};

template <class Rule, class T, class Phase, class Following>
struct StoredWalker {
  using Coef = typename Rule::Coef;
  using Values = Elements<Rule, T>;
  using Real = typename Values::Real;
  using Positions = std::make_index_sequence<Streams<Rule>::count>;
  using Sums = LaneSums<Phase>;
  static constexpr bool kInRows = Phase::kSums > 0;
  using Block = BlockOf<kInRows>;
  using Stream = StoredStream<T, kInRows>;
  using Array = T[kOfThread];

  template <std::size_t... K>
  __device__ static void open(const Stretch& stretch, const Block& block, Array* x,
                              std::index_sequence<K...>) {
    ((Phase::template kReads<K> ? Stream{stretch, K}.open(block, x[K]) : void()), ...);
  }
  template <std::size_t... K>
  __device__ static void close(const Stretch& stretch, const Block& block, const Array* x,
                               std::index_sequence<K...>) {
    ((Phase::template kWrites<K> ? Stream{stretch, K}.close(block, x[K]) : void()), ...);
  }
  template <std::size_t... K>
  MDBOPT_INLINE static void element(Array* x, std::size_t e, T lr, const Coef& c, double* sums,
                                    std::index_sequence<K...>) {
    Values v{{(Phase::template kReads<K> ? static_cast<Real>(x[K][e]) : Real(0))...},
             static_cast<Real>(lr)};
    Phase::element(v, c, sums);
    ((Phase::template kWrites<K> ? void(x[K][e] = static_cast<T>(v[K])) : void()), ...);
  }

  // Of the e-th elements of x, as the update found and left it, the gradient and the average.
  MDBOPT_INLINE static void follow(T& x, T before, T gradient, T& average, T lr,
                                   const typename Following::Coef& c) {
    Elements<Following, T> v{{x, before, gradient, average}, lr};
    Following::apply(v, c, nullptr);
    x = static_cast<T>(v[Following::kX]);
    average = static_cast<T>(v[Following::kAverage]);
  }

  __device__ static void take(const Stretch& stretch, const Block& block, const Coef& c,
                              const typename Following::Coef* following, Sums& lane_sums) {
    Array x[Streams<Rule>::count];
    Array before, average = {}, lr;
    open(stretch, block, x, Positions{});
    if (stretch.job.step_sizes != nullptr) {
      block.load(static_cast<const T*>(stretch.job.step_sizes), lr);
    } else {
#pragma unroll
      for (T& each : lr) each = static_cast<T>(stretch.lr);
    }
    const bool averages = following != nullptr && stretch.stored->average != nullptr;
    if (averages) block.load(static_cast<const T*>(stretch.stored->average), average);
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      before[e] = x[0][e];
      double sums[Sums::kSums];
      element(x, e, lr[e], c, sums, Positions{});
      if (kInRows && block.has(e)) lane_sums.add(sums);
    }
    if constexpr (Phase::template kWrites<0>) {
      if (following != nullptr) {
        const typename Following::Coef coef = *following;
#pragma unroll
        for (std::size_t e = 0; e < kOfThread; ++e) {
          follow(x[0][e], before[e], x[1][e], average[e], lr[e], coef);
        }
      }
      if (averages) block.store(static_cast<T*>(stretch.stored->average), average);
      if (kMayCopy<Rule, T, Phase> && stretch.job.copy != nullptr) copy(stretch, block, x[0]);
    }
    close(stretch, block, x, Positions{});
  }

  __device__ static void copy(const Stretch& stretch, const Block& block, const Array& x) {
    std::uint16_t bits[kOfThread];
#pragma unroll
    for (std::size_t e = 0; e < kOfThread; ++e) {
      bits[e] = Nearest<BFloat16>::of(static_cast<float>(x[e])).bits;
    }
    block.store(static_cast<std::uint16_t*>(stretch.job.copy), bits);
  }

  __device__ static void go(const WalkArguments& walk, const Coef& c) {
    const bool packed = walk.packed;
    const auto* following = static_cast<const typename Following::Coef*>(walk.following);
    each_stretch<Rule, Phase>(walk, c, [=](const Stretch& stretch, const Coef& own) {
      Sums sums;
      for (std::size_t begin = stretch.begin; begin < stretch.end; begin += kBlock) {
        const std::size_t left = stretch.end - begin;
        take(stretch, Block{begin, left < kBlock ? left : kBlock, packed}, own, following, sums);
      }
      sums.fold(stretch.partials);
    });
  }
};

template <class Rule, class T, class Phase, class Following>
__global__ void __launch_bounds__(kWalkThreads)
    stored_walk_kernel(const __grid_constant__ WalkArguments walk) {
  if (walk.refused != nullptr && *walk.refused != 0) return;
  using Coef = typename Rule::Coef;
  const Coef c = *static_cast<const Coef*>(walk.coef != nullptr ? walk.coef : walk.host_coef);
  StoredWalker<Rule, T, Phase, Following>::go(walk, c);
}

}  // namespace mdbopt::cuda
