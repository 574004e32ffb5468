// tensor – a view of a flat array: a pointer, a size, a dtype, a place. It owns nothing.
#pragma once

#include <cstddef>

#include "dtype.h"

namespace mdbopt {

// Where memory lies and in which order work on it runs: on the CPU at once, on a device in the order
// of a stream (a cudaStream_t).
struct Place {
  int device = -1;  // −1: the CPU
  void* stream = nullptr;

  bool on_cpu() const { return device < 0; }
  bool same_memory(const Place& other) const { return device == other.device; }
};

struct Tensor {
  void* data = nullptr;
  std::size_t size = 0;
  Dtype dtype = Dtype::kFloat64;
  bool writable = true;
  Place place = {};
};

}  // namespace mdbopt
