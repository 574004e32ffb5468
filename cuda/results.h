// results – what a call leaves on the device, and its way to the host.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <cstdint>

#include "../csrc/engine/rule.h"

namespace mdbopt::cuda {

struct Results {
  double sums[kMaxSums];
  std::uint32_t refused;  // not 0: by solve, or before it
};

// Copies numbers to the host and waits for the stream; valid until the next call on this thread.
const void* fetch(const void* numbers, std::size_t bytes, const Location& location);

}  // namespace mdbopt::cuda
