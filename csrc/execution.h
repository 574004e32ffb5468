// execution – how and where a call runs, whatever it runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.h"
#include "tensor.h"

namespace mdbopt {

struct Execution {
  const Backend* backend = nullptr;  // nullptr: the active one
  std::size_t threads = 0;           // 0: default_threads()
  bool flush_subnormals = false;     // see flush.h
  bool stochastic = false;           // how half-precision parameters are rounded,
  std::uint64_t key = 0;             // and what their random bits follow from
  Place place = {};  // of all arrays; a device has no use for backend, threads and flushing
};

}  // namespace mdbopt
