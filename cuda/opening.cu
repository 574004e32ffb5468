// opening – a warp takes a block of 256 elements, the ones that share a unit where they are codes.
#include <cuda_runtime.h>

#include <cstring>

#include "../csrc/base/block_codes.h"
#include "../csrc/base/remainder.h"
#include "bisect.cuh"
#include "opening.cuh"
#include "walk_arguments.h"

namespace mdbopt::cuda {
namespace {

constexpr std::size_t kEach = kBlock / kWarp;  // elements of a thread

// A block of an array: its elements [begin, begin + count).
struct Block {
  const StoredArray& array;
  std::size_t begin, count;

  __device__ float* opened() const { return array.opened + begin; }
  __device__ std::uint16_t* halves() const {
    return static_cast<std::uint16_t*>(array.stored) + begin;
  }
  __device__ std::uint8_t* codes() const {
    return static_cast<std::uint8_t*>(array.stored) + begin / kBlock * kBlockBytes;
  }
};

// Calls `take` for each block of the warp.
template <class Take>
__device__ void each_block(const Opening& opening, Take take) {
  if (opening.refused != nullptr && *opening.refused != 0) return;
  const std::size_t warps = blockDim.x / kWarp;
  for (std::size_t k = blockIdx.x * warps + threadIdx.x / kWarp; k < opening.blocks;
       k += gridDim.x * warps) {
    const StoredArray& array =
        last_from(opening.arrays, opening.count, k, &StoredArray::first_block);
    const std::size_t begin = (k - array.first_block) * kBlock;
    if ((opening.streams >> array.stream & 1U) == 0) continue;
    const std::size_t left = array.size - begin;
    take(Block{array, begin, left < kBlock ? left : kBlock});
  }
}

// Calls `take` for each element of the thread.
template <class Take>
__device__ void each_element(const Block& block, Take take) {
  for (std::size_t i = threadIdx.x % kWarp; i < block.count; i += kWarp) take(i);
}

// Random bits of the i-th element of a block, as those of CompiledFormats::draw.
struct Random {
  std::uint64_t chunk_key;
  std::size_t place;  // of the block's first element

  __device__ Random(const Opening& opening, const Block& block)
      : chunk_key(mix64(*opening.key + block.array.chunk + block.begin / kChunk)),
        place(block.begin % kChunk + block.array.stream * kApart) {}
  __device__ std::uint16_t of(std::size_t i) const {
    return shared16(chunk_key, static_cast<std::uint32_t>((place + i) % kChunk));
  }
};

template <class Half>
__device__ void open_halves(const Block& block) {
  each_element(block, [&](std::size_t i) { block.opened()[i] = widen(Half{block.halves()[i]}); });
}
template <class Half>
__device__ void close_halves(const Opening& opening, const Block& block) {
  const Random random(opening, block);
  each_element(block, [&](std::size_t i) {
    const float x = block.opened()[i];
    const Half stored =
        block.array.stochastic != 0 ? Stochastic<Half>::of(x, random.of(i)) : Nearest<Half>::of(x);
    block.halves()[i] = stored.bits;
  });
}

__device__ void open_remainder(const Block& block) {
  const std::uint16_t* low = block.array.low + block.begin;
  each_element(block, [&](std::size_t i) {
    block.opened()[i] = remainder::join(block.halves()[i], low[i]);
  });
}
__device__ void close_remainder(const Block& block) {
  std::uint16_t* low = block.array.low + block.begin;
  each_element(block, [&](std::size_t i) {
    const remainder::Halves halves = remainder::split(block.opened()[i]);
    block.halves()[i] = halves.high;
    low[i] = halves.low;
  });
}

template <class Kind>
__device__ void open_codes(const Block& block) {
  std::uint32_t unit;
  memcpy(&unit, block.codes(), sizeof unit);
  const std::uint8_t* code = block.codes() + sizeof unit;
  each_element(block,
               [&](std::size_t i) { block.opened()[i] = codes::decode(Kind{}, code[i], unit); });
}

__device__ std::uint32_t largest_of_warp(std::uint32_t value) {
  for (unsigned half = kWarp / 2; half > 0; half /= 2) {
    const std::uint32_t other = __shfl_down_sync(~0U, value, half);
    value = value > other ? value : other;
  }
  return __shfl_sync(~0U, value, 0);
}

// What is behind the last element has a code of 0.
template <class Kind>
__device__ void close_codes(const Opening& opening, const Block& block) {
  const Random random(opening, block);
  const std::size_t lane = threadIdx.x % kWarp;
  float x[kEach];
  std::uint32_t largest = 0;
#pragma unroll
  for (std::size_t k = 0; k < kEach; ++k) {
    const std::size_t i = lane + k * kWarp;
    x[k] = i < block.count ? block.opened()[i] : 0.0F;
    const std::uint32_t magnitude = codes::magnitude(x[k]);
    largest = largest > magnitude ? largest : magnitude;
  }
  const std::uint32_t unit = codes::unit_of<Kind>(largest_of_warp(largest));
  if (lane == 0) memcpy(block.codes(), &unit, sizeof unit);
  std::uint8_t* code = block.codes() + sizeof unit;
#pragma unroll
  for (std::size_t k = 0; k < kEach; ++k) {
    const std::size_t i = lane + k * kWarp;
    const std::uint32_t added = block.array.stochastic != 0
                                    ? static_cast<std::uint32_t>(random.of(i)) << codes::kUnused
                                    : codes::kToNearest;
    code[i] = codes::encode(Kind{}, x[k], unit, added);
  }
}

}  // namespace

__global__ void __launch_bounds__(kWalkThreads)
    open_kernel(const __grid_constant__ Opening opening) {
  each_block(opening, [&](const Block& block) {
    switch (static_cast<Format>(block.array.format)) {
      case Format::kBFloat16:
        return open_halves<BFloat16>(block);
      case Format::kFloat16:
        return open_halves<Float16>(block);
      case Format::kSignedCodes:
        return open_codes<codes::Signed>(block);
      case Format::kUnsignedCodes:
        return open_codes<codes::Unsigned>(block);
      case Format::kRemainder:
        return open_remainder(block);
      case Format::kPlain:
        return;
    }
  });
}

__global__ void __launch_bounds__(kWalkThreads)
    close_kernel(const __grid_constant__ Opening opening) {
  each_block(opening, [&](const Block& block) {
    switch (static_cast<Format>(block.array.format)) {
      case Format::kBFloat16:
        return close_halves<BFloat16>(opening, block);
      case Format::kFloat16:
        return close_halves<Float16>(opening, block);
      case Format::kSignedCodes:
        return close_codes<codes::Signed>(opening, block);
      case Format::kUnsignedCodes:
        return close_codes<codes::Unsigned>(opening, block);
      case Format::kRemainder:
        return close_remainder(block);
      case Format::kPlain:
        return;
    }
  });
}

}  // namespace mdbopt::cuda
