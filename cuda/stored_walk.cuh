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

// Of a thread in the blocks of a warp. What follows an update in float64 is rare, and eight would be as much code again.
template <class T>
inline constexpr std::size_t kOfThread = sizeof(T) == 8 ? 1 : kBlock / kWarp;
template <class T>
inline constexpr std::size_t kTogether = kOfThread<T> * kWarp;
inline constexpr std::size_t kOfPack = 4;

// By the threads of a warp together. In a loop, and once for all kernels: what cannot be moved in packs is little.
__device__ inline __attribute__((noinline)) void copy_bytes(unsigned char* to,
                                                            const unsigned char* from,
                                                            std::size_t bytes) {
  __syncwarp();
  for (std::size_t i = threadIdx.x % kWarp; i < bytes; i += kWarp) to[i] = from[i];
  __syncwarp();
}

// Memory of the warp for one block of numbers.
__device__ inline unsigned char* stage_of_warp() {
  constexpr std::size_t kBytes = kBlock * sizeof(float);
  alignas(16) __shared__ unsigned char stage[kWalkThreads / kWarp * kBytes];
  return stage + threadIdx.x / kWarp * kBytes;
}

// A block of an array, as the threads of a warp move it.
template <class T, bool in_rows>
struct BlockOf {
  static constexpr bool kInRows = in_rows;
  static constexpr std::size_t kEach = kOfThread<T>;
  std::size_t begin, count;  // in its array; behind `count` there are no elements
  bool packed;

  // The e-th element of this thread.
  __device__ static std::size_t at(std::size_t e) {
    const std::size_t lane = threadIdx.x % kWarp;
    if constexpr (kInRows) return e * kWarp + lane;
    return (e / kOfPack * kWarp + lane) * kOfPack + e % kOfPack;
  }
  __device__ bool has(std::size_t e) const { return at(e) < count; }
  __device__ bool is_whole() const { return packed && count == kTogether<T>; }

  // Of elements one after the other, words: of Stored, or where these are narrower as many as kOfWord together.
  template <class Word, class Stored>
  __device__ void load_packs(const Stored* from, Word* words) const {
    constexpr std::size_t kOfWord = sizeof(Word) / sizeof(Stored);
    if (!is_whole()) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(from);
      copy_bytes(stage_of_warp(), bytes, count * sizeof(Stored));
      from = reinterpret_cast<const Stored*>(stage_of_warp());
    }
#pragma unroll
    for (std::size_t e = 0; e < kEach; e += kOfPack) {
      constexpr std::size_t kWords = kOfPack / kOfWord;
      const auto pack = cuda::load<Word, kWords>(reinterpret_cast<const Word*>(from + at(e)));
#pragma unroll
      for (std::size_t j = 0; j < kWords; ++j) words[e / kOfWord + j] = pack.at[j];
    }
  }
  template <class Word, class Stored>
  __device__ void store_packs(Stored* to, const Word* words) const {
    constexpr std::size_t kOfWord = sizeof(Word) / sizeof(Stored);
    Stored* there = to;
    if (!is_whole()) {
      __syncwarp();  // until all have read what was there
      there = reinterpret_cast<Stored*>(stage_of_warp());
    }
#pragma unroll
    for (std::size_t e = 0; e < kEach; e += kOfPack) {
      constexpr std::size_t kWords = kOfPack / kOfWord;
      Pack<Word, kWords> pack;
#pragma unroll
      for (std::size_t j = 0; j < kWords; ++j) pack.at[j] = words[e / kOfWord + j];
      *reinterpret_cast<Pack<Word, kWords>*>(there + at(e)) = pack;
    }
    if (is_whole()) return;
    copy_bytes(reinterpret_cast<unsigned char*>(to), stage_of_warp(), count * sizeof(Stored));
  }

  template <class Stored>
  __device__ void load(const Stored* array, Stored (&to)[kEach]) const {
    const Stored* from = array + begin;
    if constexpr (kInRows) {
#pragma unroll
      for (std::size_t e = 0; e < kEach; ++e) to[e] = has(e) ? from[at(e)] : Stored{};
    } else {
      load_packs<Stored>(from, to);
    }
  }
  template <class Stored>
  __device__ void store(Stored* array, const Stored (&from)[kEach]) const {
    Stored* to = array + begin;
    if constexpr (kInRows) {
#pragma unroll
      for (std::size_t e = 0; e < kEach; ++e) {
        if (has(e)) to[at(e)] = from[e];
      }
    } else {
      store_packs<Stored>(to, from);
    }
  }
};

// Numbers of a thread as bits, in which those of a format are packed as they are stored.
template <class T>
using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
template <class T>
using OfThread = Bits<T>[kOfThread<T>];

template <class T>
MDBOPT_INLINE T number(Bits<T> bits) {
  return __builtin_bit_cast(T, bits);
}
template <class T>
MDBOPT_INLINE Bits<T> bits_of(T value) {
  return __builtin_bit_cast(Bits<T>, value);
}

// Elements of a type that share words of 32 bits.
template <class Stored>
struct Packed {
  static constexpr std::size_t kEach = kOfThread<float>;
  static constexpr std::size_t kOfWord = sizeof(std::uint32_t) / sizeof(Stored);
  static constexpr std::size_t kWords = kEach / kOfWord;

  MDBOPT_INLINE static unsigned shift(std::size_t e) {
    return static_cast<unsigned>(8 * sizeof(Stored) * (e % kOfWord));
  }
  MDBOPT_INLINE static Stored get(const std::uint32_t* words, std::size_t e) {
    return static_cast<Stored>(words[e / kOfWord] >> shift(e));
  }
  MDBOPT_INLINE static void put(std::uint32_t* words, std::size_t e, Stored value) {
    const std::uint32_t before = e % kOfWord == 0 ? 0U : words[e / kOfWord];
    words[e / kOfWord] = before | static_cast<std::uint32_t>(value) << shift(e);
  }

  template <class Block>
  __device__ static void load(const Block& block, const Stored* from, std::uint32_t* words) {
    if constexpr (Block::kInRows) {
#pragma unroll
      for (std::size_t e = 0; e < kEach; ++e) {
        put(words, e, block.has(e) ? from[Block::at(e)] : Stored{});
      }
    } else {
      block.template load_packs<std::uint32_t>(from, words);
    }
  }
  template <class Block>
  __device__ static void store(const Block& block, Stored* to, const std::uint32_t* words) {
    if constexpr (Block::kInRows) {
#pragma unroll
      for (std::size_t e = 0; e < kEach; ++e) {
        if (block.has(e)) to[Block::at(e)] = get(words, e);
      }
    } else {
      block.store_packs(to, words);
    }
  }
};
using Codes = Packed<std::uint8_t>;
using Halves = Packed<std::uint16_t>;

// A stream of a job: fetched, opened and closed. Fetching computes nothing, so that all streams' loads are on
// their way before the first is waited for.
template <class Rule, class T, class Block, std::size_t k>
struct StoredStream {
  const Stretch& stretch;

  // Numbers of half precision are parameters or gradients; parameters alone have low bits, and states codes.
  static constexpr bool kSingle = sizeof(T) == 4;
  static constexpr bool kState = Streams<Rule>::data[k].storage == Storage::kState;
  static constexpr bool kMayBe(Format format) {
    if (format == Format::kFloat16) return !kState;
    if (format == Format::kRemainder) return !kState && k == 0;
    return format == Format::kBFloat16 || kState;
  }

  // Whether it is in a format that it may be in.
  template <Format format>
  __device__ bool is() const {
    constexpr std::uint32_t mask = (1U << kFormatBits) - 1;
    if constexpr (!kSingle || !kMayBe(format)) return false;
    return (stretch.stored->formats >> (kFormatBits * k) & mask) ==
           static_cast<std::uint32_t>(format);
  }
  __device__ bool stochastic() const { return (stretch.stored->stochastic >> k & 1U) != 0; }
  template <class Stored>
  __device__ Stored* data() const {
    return in_global_memory(static_cast<Stored*>(stretch.job.streams[k]));
  }
  __device__ std::uint16_t* low(const Block& block) const {
    return in_global_memory(stretch.stored->low) + block.begin;
  }
  // A block of codes is there to its end, whatever the array's.
  __device__ static Block all_of(Block block) {
    block.count = kBlock;
    return block;
  }
  static constexpr std::size_t kUnitBytes = sizeof(std::uint32_t);
  __device__ std::uint8_t* codes(const Block& block) const {
    return data<std::uint8_t>() + block.begin / kBlock * kBlockBytes;
  }
  __device__ std::uint32_t unit_of(const Block& block) const {
    if (block.packed) return *reinterpret_cast<const std::uint32_t*>(codes(block));
    std::uint32_t unit;
    memcpy(&unit, codes(block), sizeof unit);
    return unit;
  }
  // As CompiledFormats::draw numbers them.
  __device__ std::uint16_t random(const Block& block, std::size_t e) const {
    const std::size_t place = block.begin - stretch.chunk_begin + Block::at(e) + k * kApart;
    return shared16(stretch.chunk_key, static_cast<std::uint32_t>(place % kChunk));
  }

  __device__ void fetch(const Block& block, OfThread<T>& x, std::uint32_t& unit) const {
    if constexpr (kSingle) {
      if (is<Format::kSignedCodes>() || is<Format::kUnsignedCodes>()) {
        unit = unit_of(block);
        return Codes::load(all_of(block), codes(block) + kUnitBytes, x);
      }
      const bool remainder = is<Format::kRemainder>();
      if (remainder) Halves::load(block, low(block), x + Halves::kWords);
      if (remainder || is<Format::kBFloat16>() || is<Format::kFloat16>()) {
        return Halves::load(block, data<std::uint16_t>() + block.begin, x);
      }
    }
    block.load(data<Bits<T>>(), x);
  }

  // Gives x what open_one makes of each of its elements.
  template <class OpenOne>
  __device__ static void each(OfThread<T>& x, OpenOne open_one) {
    OfThread<T> opened;
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) opened[e] = half::bits_of(open_one(e));
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) x[e] = opened[e];
  }
  __device__ void open(OfThread<T>& x, [[maybe_unused]] std::uint32_t unit) const {
    if constexpr (kSingle) {
      if (is<Format::kBFloat16>()) {
        each(x, [&](std::size_t e) { return widen(BFloat16{Halves::get(x, e)}); });
      } else if (is<Format::kFloat16>()) {
        each(x, [&](std::size_t e) { return widen(Float16{Halves::get(x, e)}); });
      } else if (is<Format::kSignedCodes>()) {
        each(x,
             [&](std::size_t e) { return codes::decode(codes::Signed{}, Codes::get(x, e), unit); });
      } else if (is<Format::kUnsignedCodes>()) {
        each(x, [&](std::size_t e) {
          return codes::decode(codes::Unsigned{}, Codes::get(x, e), unit);
        });
      } else if (is<Format::kRemainder>()) {
        each(x, [&](std::size_t e) {
          return remainder::join(Halves::get(x, e), Halves::get(x + Halves::kWords, e));
        });
      }
    }
  }

  template <class Half>
  __device__ void close_halves(const Block& block, const OfThread<T>& x) const {
    std::uint32_t words[Halves::kWords];
    const bool draws = stochastic();
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) {
      const float value = half::float_of(x[e]);
      const Half stored =
          draws ? Stochastic<Half>::of(value, random(block, e)) : Nearest<Half>::of(value);
      Halves::put(words, e, stored.bits);
    }
    Halves::store(block, data<std::uint16_t>() + block.begin, words);
  }
  __device__ void close_remainder(const Block& block, const OfThread<T>& x) const {
    std::uint32_t high[Halves::kWords], difference[Halves::kWords];
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) {
      const remainder::Halves halves = remainder::split(half::float_of(x[e]));
      Halves::put(high, e, halves.high);
      Halves::put(difference, e, halves.low);
    }
    Halves::store(block, data<std::uint16_t>() + block.begin, high);
    Halves::store(block, low(block), difference);
  }
  // What is behind the last element has a code of 0, and is stored as all.
  template <class Kind>
  __device__ void close_codes(const Block& block, const OfThread<T>& x) const {
    float given[kOfThread<T>];
    std::uint32_t largest = 0;
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) {
      given[e] = block.has(e) ? half::float_of(x[e]) : 0.0F;
      const std::uint32_t magnitude = codes::magnitude(given[e]);
      largest = largest > magnitude ? largest : magnitude;
    }
    const std::uint32_t unit = codes::unit_of<Kind>(largest_of_warp(largest));
    if (threadIdx.x % kWarp == 0) memcpy(codes(block), &unit, sizeof unit);
    std::uint32_t words[Codes::kWords];
    const bool draws = stochastic();
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) {
      const std::uint32_t added = draws ? static_cast<std::uint32_t>(random(block, e))
                                              << codes::kUnused
                                        : codes::kToNearest;
      Codes::put(words, e, codes::encode(Kind{}, given[e], unit, added));
    }
    Codes::store(all_of(block), codes(block) + kUnitBytes, words);
  }
  __device__ void close(const Block& block, const OfThread<T>& x) const {
    if constexpr (kSingle) {
      if (is<Format::kBFloat16>()) return close_halves<BFloat16>(block, x);
      if (is<Format::kFloat16>()) return close_halves<Float16>(block, x);
      if (is<Format::kSignedCodes>()) return close_codes<codes::Signed>(block, x);
      if (is<Format::kUnsignedCodes>()) return close_codes<codes::Unsigned>(block, x);
      if (is<Format::kRemainder>()) return close_remainder(block, x);
    }
    block.store(data<Bits<T>>(), x);
  }
};

template <class Rule, class T, class Phase, class Following>
struct StoredWalker {
  using Coef = typename Rule::Coef;
  using Values = Elements<Rule, T>;
  using Real = typename Values::Real;
  using Positions = std::make_index_sequence<Streams<Rule>::count>;
  using Sums = LaneSums<Phase>;
  static constexpr bool kInRows = Phase::kSums > 0 || sizeof(T) == 8;
  using Block = BlockOf<T, kInRows>;
  template <std::size_t K>
  using Stream = StoredStream<Rule, T, Block, K>;
  using Array = T[kOfThread<T>];

  template <std::size_t... K>
  __device__ static void open(const Stretch& stretch, const Block& block, OfThread<T>* x,
                              std::index_sequence<K...>) {
    std::uint32_t units[sizeof...(K)] = {};
    ((Phase::template kReads<K> ? Stream<K>{stretch}.fetch(block, x[K], units[K]) : void()), ...);
    ((Phase::template kReads<K> ? Stream<K>{stretch}.open(x[K], units[K]) : void()), ...);
  }
  template <std::size_t... K>
  __device__ static void close(const Stretch& stretch, const Block& block, const OfThread<T>* x,
                               std::index_sequence<K...>) {
    ((Phase::template kWrites<K> ? Stream<K>{stretch}.close(block, x[K]) : void()), ...);
  }
  template <std::size_t... K>
  MDBOPT_INLINE static void element(OfThread<T>* x, std::size_t e, T lr, const Coef& c,
                                    double* sums, std::index_sequence<K...>) {
    Values v{{(Phase::template kReads<K> ? static_cast<Real>(number<T>(x[K][e])) : Real(0))...},
             static_cast<Real>(lr)};
    Phase::element(v, c, sums);
    ((Phase::template kWrites<K> ? void(x[K][e] = bits_of(static_cast<T>(v[K]))) : void()), ...);
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
    OfThread<T> x[Streams<Rule>::count];
    Array before, average = {}, lr;
    const bool averages = following != nullptr && stretch.stored->average != nullptr;
    if (averages) block.load(static_cast<const T*>(stretch.stored->average), average);
    if (stretch.job.step_sizes != nullptr) {
      block.load(static_cast<const T*>(stretch.job.step_sizes), lr);
    } else {
#pragma unroll
      for (T& each : lr) each = static_cast<T>(stretch.lr);
    }
    open(stretch, block, x, Positions{});
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) {
      before[e] = number<T>(x[0][e]);
      double sums[Sums::kSums];
      element(x, e, lr[e], c, sums, Positions{});
      if (Phase::kSums > 0 && block.has(e)) lane_sums.add(sums);
    }
    if constexpr (Phase::template kWrites<0>) {
      if (following != nullptr) {
        const typename Following::Coef coef = *following;
#pragma unroll
        for (std::size_t e = 0; e < kOfThread<T>; ++e) {
          T moved = number<T>(x[0][e]);
          follow(moved, before[e], number<T>(x[1][e]), average[e], lr[e], coef);
          x[0][e] = bits_of(moved);
        }
      }
      if (averages) block.store(static_cast<T*>(stretch.stored->average), average);
      if (kMayCopy<Rule, T, Phase> && stretch.job.copy != nullptr) copy(stretch, block, x[0]);
    }
    close(stretch, block, x, Positions{});
  }

  __device__ static void copy(const Stretch& stretch, const Block& block, const OfThread<T>& x) {
    std::uint32_t words[Halves::kWords];
#pragma unroll
    for (std::size_t e = 0; e < kOfThread<T>; ++e) {
      Halves::put(words, e, Nearest<BFloat16>::of(static_cast<float>(number<T>(x[e]))).bits);
    }
    std::uint16_t* to = in_global_memory(static_cast<std::uint16_t*>(stretch.job.copy));
    Halves::store(block, to + block.begin, words);
  }

  __device__ static void go(const WalkArguments& walk, const Coef& c) {
    const bool packed = walk.packed;
    // What only sums is followed by nothing.
    const void* coef = Phase::template kWrites<0> ? walk.following : nullptr;
    const auto* following = static_cast<const typename Following::Coef*>(coef);
    each_stretch<Rule, Phase>(walk, c, [=](const Stretch& stretch, const Coef& own) {
      Sums sums;
      for (std::size_t begin = stretch.begin; begin < stretch.end; begin += kTogether<T>) {
        const std::size_t left = stretch.end - begin;
        const Block block{begin, left < kTogether<T> ? left : kTogether<T>, packed};
        take(stretch, block, own, following, sums);
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
