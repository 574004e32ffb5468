// arrange – what walks are given, filled in on the device.
#pragma once

#include <cuda_runtime.h>

#include "walk.h"

namespace mdbopt::cuda {

template <class... Stream>
__device__ inline void arrange(DeviceJob& job, std::size_t size, Stream... streams) {
  job = {};
  job.size = size;
  std::size_t k = 0;
  ((job.streams[k++] = streams), ...);
}

// A rule's coef from its scalars, in the order of its description.
template <class Rule, class... Scalar>
__device__ inline void give(unsigned char* where, Scalar... scalar) {
  static_assert(sizeof...(Scalar) == Scalars<Rule>::count);
  const double scalars[] = {scalar...};
  make_coef<Rule>(scalars, 0.0, *reinterpret_cast<typename Rule::Coef*>(where));
}

}  // namespace mdbopt::cuda
