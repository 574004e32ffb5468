// execution – how and where a call runs, whatever it runs.
//
// Contract. No member but stochastic and its key changes the bits of a result, and flush_subnormals those
// below the normal numbers alone. The library sets reduction. A backend comes from find_backend of <mdbopt/launch.h>.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <cstdint>

namespace mdbopt {

struct Backend;
class Reduction;

struct Execution {
  const Backend* backend = nullptr;  // nullptr: the active one
  std::size_t threads = 0;           // 0: as many as the process may use
  bool flush_subnormals = false;     // numbers below the normal ones count as 0 meanwhile
  bool stochastic = false;           // how half-precision parameters are rounded,
  std::uint64_t key = 0;             // and what their random bits follow from
  Location location = {};  // of all arrays; a device has no use for backend, threads and flushing
  Reduction* reduction = nullptr;  // of a search or an updater whose arrays are shards (reducer.h)
};

}  // namespace mdbopt
