// row – one line of the table: a rule on one dtype, backend, size and number of threads, timed
// beside the copy of its traffic.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "arrays.h"
#include "engine/launch.h"

namespace bench {

// The counters of a row.
inline constexpr const char* kRate = "bytes/s";
inline constexpr const char* kCopyRate = "copy bytes/s";
inline constexpr const char* kPercent = "copy%";

struct Row {
  std::size_t rule;
  mdbopt::Dtype dtype;
  const mdbopt::Backend* backend;
  std::size_t size;
  std::size_t threads;

  std::string name() const;
};

void measure(benchmark::State& state, const Row& row, Arrays& arrays);

}  // namespace bench
