// fold – the one order of summation, on host and device.
//
// A flat array is cut into chunks of 1024 elements. Within a chunk, element i belongs to lane i mod
// 32; a lane adds its elements in order. The 32 lanes of a chunk fold in a tree (16, 8, 4, 2, 1),
// then neighbouring chunks fold in pairs until one is left. Nothing in this order depends on
// threads, on the width of a vector or on a device, so a sum has the same bits everywhere.
#pragma once

#include <mdbopt/description.h>

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define MDBOPT_HOST_DEVICE __host__ __device__
#else
#define MDBOPT_HOST_DEVICE
#endif
// Forced: an inline function that an instruction-set file emits out of line could be picked by the
// linker for all.
#define MDBOPT_INLINE MDBOPT_HOST_DEVICE inline __attribute__((always_inline))

// Before a loop whose rounds are independent of each other: compilers need not look for arrays that overlap.
#ifdef __clang__
#define MDBOPT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define MDBOPT_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace mdbopt {

inline constexpr std::size_t kChunk = 1024;
inline constexpr std::size_t kLanes = 32;

MDBOPT_INLINE constexpr std::size_t chunks_of(std::size_t size) {
  return (size + kChunk - 1) / kChunk;
}

// The larger of two numbers without a sign, NaN included: as integers their bits have the order of the
// numbers, with NaN above infinity. So a maximum keeps a NaN once it has seen one, and also answers "is
// everything finite?", by one comparison in place of two, for which the walks that propose wait. x86 has
// it for 64 bits from SSE4.2 on.
MDBOPT_INLINE double larger(double a, double b) {
#if defined(__x86_64__) && !defined(__SSE4_2__) && !defined(__CUDA_ARCH__)
  return ((b > a) | (b != b)) ? b : a;
#else
  const auto first = __builtin_bit_cast(std::int64_t, a);
  const auto second = __builtin_bit_cast(std::int64_t, b);
  return __builtin_bit_cast(double, second > first ? second : first);
#endif
}

MDBOPT_INLINE double combine(Fold fold, double a, double b) {
  return fold == Fold::kAdd ? a + b : larger(a, b);
}

MDBOPT_INLINE double fold_lanes(Fold fold, double* lanes) {
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) {
      lanes[lane] = combine(fold, lanes[lane], lanes[lane + half]);
    }
  }
  return lanes[0];
}

// Folds partials[0], partials[stride], … (count of them) in place and returns the result; 0 when
// there is none.
MDBOPT_INLINE double fold_chunks(Fold fold, double* partials, std::size_t count,
                                 std::size_t stride) {
  if (count == 0) return 0.0;
  while (count > 1) {
    const std::size_t pairs = count / 2;
    for (std::size_t i = 0; i < pairs; ++i) {
      partials[i * stride] =
          combine(fold, partials[2 * i * stride], partials[(2 * i + 1) * stride]);
    }
    if (count % 2 == 1) partials[pairs * stride] = partials[(count - 1) * stride];
    count = pairs + count % 2;
  }
  return partials[0];
}

}  // namespace mdbopt
