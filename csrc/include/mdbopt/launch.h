// launch – runs one rule over arrays: gathers sums, solves for scalars, updates in place, in at most one
// walk over memory for each.
//
//   const std::size_t norm = mdbopt::find_rule("norm");
//   void* streams[] = {a.data()};
//   const mdbopt::Job job{streams, a.size()};
//   const double scale[] = {1.0};
//   double sums[2];
//   mdbopt::launch(norm, mdbopt::Dtype::kFloat64, {&job, 1}, scale, sums, {});
//
// Contract. Streams are dense arrays in the order of the rule's description, of one size in a job, all in
// one memory, and none that is written overlaps another; launch trusts that. Sums have the same bits for
// any number of threads, any backend and any device. What launch throws it throws before anything is
// written. Any thread may call it at any time.
#pragma once

#include <mdbopt/description.h>
#include <mdbopt/execution.h>
#include <mdbopt/tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mdbopt {

struct Layout;

inline constexpr std::size_t kInOrder = static_cast<std::size_t>(-1);

// The streams of one array, each of `size` elements, in the order of the rule's description. What
// follows is for update rules.
struct Job {
  void* const* streams;
  std::size_t size;
  double lr = 1.0;                   // the step size of every element,
  const void* step_sizes = nullptr;  // or in its place one for each, of the arithmetic's dtype
  void* copy = nullptr;              // a bfloat16 image of float32 parameters, written with them
  std::size_t variant = 0;           // which Variant of the launch it has
  // Which of the arrays that numbers are kept of; by default, that of its place among the jobs.
  std::size_t array = kInOrder;
  // By stream, that of an average behind the rule's, then of step_sizes and copy; null: all lie as a walk takes them. On a device those of an
  // Updater alone, of dense arrays in a format.
  const Layout* layouts = nullptr;

  std::size_t array_at(std::size_t place) const { return array == kInOrder ? place : array; }
};

// What some jobs of a launch have in common and others have not. A device takes one for all.
struct Variant {
  Dtype dtype;
  const double* scalars;
};

// What follows an update chunk by chunk; csrc/rules/finish.h has the formulas. On a device, of an Updater alone.
struct Finish {
  double max_update = 0.0;  // over the step size; 0: no bound
  double l1 = 0.0;
  // The weight of the average so far, a stream behind the rule's, of Storage::kState; < 0: there is none.
  double average = -1.0;
  // No step where its direction and the gradient differ in sign, no decay where its direction and x do: of
  // updates by Update::move, whose decoupled decay the finish takes over.
  bool cautious = false, cautious_weight_decay = false;
  bool bounds() const { return max_update > 0.0; }
  bool holds_back() const { return cautious || cautious_weight_decay; }
  bool looks_back() const { return bounds() || holds_back(); }
  bool averages() const { return average >= 0.0; }
  bool any() const { return bounds() || l1 > 0.0 || averages() || holds_back(); }
};

// Runs `rule` over all jobs as if they were one array whose chunks are numbered through, and writes
// the gathered sums, what solve made of them, then the emitted ones, to `sums`, unless that is null.
// A rule of Scope::kArray has them of each job by itself, one job's after the other's.
// Returns false when the rule refused: then no stream was written and emitted sums are 0. Trusts
// its arguments, and that what solve makes does not depend on the variant; allocates only when a call
// needs more chunks or variants than any before it on this thread. `finish` is for updates of float32 and
// float64, and of half precision that layouts open to float32.
bool launch(std::size_t rule, std::span<const Variant> variants, std::span<const Job> jobs,
            double* sums, const Execution& execution, const Finish& finish = {});
inline bool launch(std::size_t rule, Dtype dtype, std::span<const Job> jobs, const double* scalars,
                   double* sums, const Execution& execution, const Finish& finish = {}) {
  const Variant one{dtype, scalars};
  return launch(rule, {&one, 1}, jobs, sums, execution, finish);
}

// The rules in the order of the tables.
std::size_t rule_count();
const Description& rule_description(std::size_t rule);
// The row of a rule by its name; throws Error when there is none.
std::size_t find_rule(const char* name);

// The backend that runs by default: MDBOPT_BACKEND if it is set, else the best that this processor
// supports.
const Backend& active_backend();
// A backend by name; throws Error, listing what there is, when it is unknown or not supported here.
const Backend& find_backend(const char* name);

}  // namespace mdbopt
