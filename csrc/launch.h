// launch – runs one rule over a list of flat jobs: prepare, gather, fold, solve, apply, fold.
#pragma once

#include <cstddef>
#include <span>

#include "execution.h"

namespace mdbopt {

// What one thread walks from the second cache level or beyond; a guide to whether threads are worth
// their start.
inline constexpr double kNanosecondsPerByte = 0.025;

// The threads that it asks for, or those a call uses by default.
std::size_t threads_of(const Execution& execution);

// What some jobs of a launch have in common and others have not. A device takes one for all.
struct Variant {
  Dtype dtype;
  const double* scalars;
};

// Runs `rule` over all jobs as if they were one array whose chunks are numbered through, and writes
// the gathered sums, what solve made of them, then the emitted ones, to `sums`, unless that is null.
// Returns false when the rule refused: then no stream was written and emitted sums are 0. Trusts
// its arguments, and that what solve makes does not depend on the variant; allocates only when a call
// needs more chunks or variants than any before it on this thread.
bool launch(std::size_t rule, std::span<const Variant> variants, std::span<const Job> jobs,
            double* sums, const Execution& execution);
inline bool launch(std::size_t rule, Dtype dtype, std::span<const Job> jobs, const double* scalars,
                   double* sums, const Execution& execution) {
  const Variant one{dtype, scalars};
  return launch(rule, {&one, 1}, jobs, sums, execution);
}

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
void run_pass(std::span<const PassWalk> walks, Dtype dtype, std::size_t size,
              const Execution& execution);

// The walks and bytes that launches on this thread have moved, for tests of the promised traffic.
struct Traffic {
  std::size_t walks;
  std::size_t bytes;
};
Traffic& traffic();

// Counts the walks and bytes of an update, and of a look at the norm of its gradients, that ran
// elsewhere than in launch.
void count_traffic(std::size_t rule, Dtype dtype, std::span<const Job> jobs, bool norm);

// Bytes read and written per element by one gather or apply of the rule.
std::size_t gather_bytes(const Description& rule, Dtype dtype);
std::size_t apply_bytes(const Description& rule, Dtype dtype);

}  // namespace mdbopt
