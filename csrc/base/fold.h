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

// max keeps a NaN once it has seen one, so that a maximum also answers "is everything finite?".
MDBOPT_INLINE double combine(Fold fold, double a, double b) {
  const double larger = ((b > a) | (b != b)) ? b : a;
  return fold == Fold::kAdd ? a + b : larger;
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
