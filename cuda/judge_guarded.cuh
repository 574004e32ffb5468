// judge_guarded – what the decisions of a guarded judgement share: where arrays are now, which bundles
// of pairs there are.
#pragma once

#include "arrange.cuh"
#include "judge_guarded.h"

namespace mdbopt::cuda {

// Where x and g are now.
struct Now {
  void *x, *spare_x, *g, *spare_g;
};

__device__ inline Now now(const GuardedControl& c) {
  const DeviceGuarded& a = c.arrays;
  if (c.judging.swapped == 0) return {a.x, a.spare_x, a.g, a.spare_g};
  return {a.spare_x, a.x, a.spare_g, a.g};
}

__device__ inline void* s_of(const GuardedControl& c, std::int64_t slot) {
  return c.arrays.s.data()[slot];
}
__device__ inline void* y_of(const GuardedControl& c, std::int64_t slot) {
  return c.arrays.y.data()[slot];
}

// Calls with each bundle and whether it is there: fives as far as they go, then singles.
template <class Body>
__device__ inline void for_bundles(GuardedControl& c, Body body) {
  const std::int64_t count = c.judging.pairs.count;
  const std::int64_t whole = count / search::kBundle;
  for (std::int64_t k = 0; k < c.fives; ++k) {
    c.bundles[k].first = k * search::kBundle;
    body(c.bundles[k], k < whole);
  }
  for (std::int64_t k = 0; k < c.singles; ++k) {
    Bundle& bundle = c.bundles[c.fives + k];
    bundle.first = whole * search::kBundle + k;
    body(bundle, bundle.first < count);
  }
}

// The vectors of a bundle by the slots of its pairs, then others.
template <class Vector, class... Stream>
__device__ inline void arrange_pairs(const GuardedControl& c, const Bundle& bundle, DeviceJob& job,
                                     Vector vector, Stream... others) {
  job = {};
  job.size = c.arrays.size;
  std::int64_t k = 0;
  for (; k < bundle.pairs; ++k) {
    job.streams[k] = vector(c, c.judging.pairs.slot(bundle.first + k));
  }
  ((job.streams[k++] = others), ...);
}

}  // namespace mdbopt::cuda
