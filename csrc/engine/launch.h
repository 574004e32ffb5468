// launch – beyond <mdbopt/launch.h>: several walks in one pass over memory, and the traffic of walks.
#pragma once

#include <mdbopt/execution.h>
#include <mdbopt/launch.h>

#include <cstddef>
#include <span>

#include "backend.h"

namespace mdbopt {

// What one thread walks from the second cache level or beyond; a guide to whether threads are worth
// their start.
inline constexpr double kNanosecondsPerByte = 0.025;

// The threads that it asks for, or those a call uses by default.
std::size_t threads_of(const Execution& execution);

// The gather or the apply of a rule, with the coef that its prepare has made.
struct PassWalk {
  std::size_t rule;
  bool gathers;
  void* const* streams;
  const Coef* coef;
  double* sums;  // of the walk
};

// Several walks in one pass over arrays of one size: all of them on a chunk before the next chunk, so
// that what they share comes from memory once. None may need a sum of an earlier one. On the CPU.
// `sharded`: the arrays are shards, where execution.reduction says that there are any.
void run_pass(std::span<const PassWalk> walks, Dtype dtype, std::size_t size, bool sharded,
              const Execution& execution);

// The walks and bytes that launches on this thread have moved, for tests of the promised traffic.
struct Traffic {
  std::size_t walks;
  std::size_t bytes;
};
Traffic& traffic();

// Counts the walks and bytes of an update, of a look at the norm of its gradients and of an average, that
// ran elsewhere than in launch.
void count_traffic(std::size_t rule, Dtype dtype, std::span<const Job> jobs, bool norm,
                   bool averages);

// Bytes read and written per element by one gather or apply of the rule.
std::size_t gather_bytes(const Description& rule, Dtype dtype);
std::size_t apply_bytes(const Description& rule, Dtype dtype);

}  // namespace mdbopt
