// tensor – a view of a flat array: a pointer, a size, a dtype. It owns nothing.
#pragma once

#include <cstddef>

#include "dtype.h"

namespace mdbopt {

struct Tensor {
  void* data = nullptr;
  std::size_t size = 0;
  Dtype dtype = Dtype::kFloat64;
  bool writable = true;
};

}  // namespace mdbopt
