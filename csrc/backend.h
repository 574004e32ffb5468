// backend – a table [rule][dtype] of compiled sweeps, one table per instruction set or device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dtype.h"
#include "layout.h"
#include "rule.h"

namespace mdbopt {

// The streams of one array, each of `size` elements, in the order of the rule's description. What
// follows is for update rules.
struct Job {
  void* const* streams;
  std::size_t size;
  double lr = 1.0;                   // the step size of every element,
  const void* step_sizes = nullptr;  // or in its place one for each, of the arithmetic's dtype
  void* copy = nullptr;              // a bfloat16 image of float32 parameters, written with them
  std::size_t variant = 0;           // whose dtype and scalars it has; see launch.h
  // By stream, then of step_sizes and copy; null: all lie as a walk takes them. On the CPU alone.
  const Layout* layouts = nullptr;
};

// Room for what a rule's gather and apply need of the scalars.
struct alignas(64) Coef {
  unsigned char bytes[kMaxCoefBytes];
};

// How a walk goes, the same for all its jobs.
struct Course {
  const void* coef;
  std::uint64_t key;  // of the random bits
};

// One rule compiled for one dtype and one instruction set; null where it does not have the part.
// gather and apply walk the chunks [first, last) of one job and write partials[chunk * sum_count +
// k]; `before` chunks of other jobs precede it.
struct Sweep {
  using Prepare = bool (*)(const double* scalars, double n, void* coef);
  using Solve = bool (*)(double* sums, double n, void* coef);
  using Walk = void (*)(const Job& job, std::size_t first, std::size_t last, std::size_t before,
                        const Course& course, double* partials);
  Prepare prepare;
  Walk gather;
  Solve solve;
  Walk apply;
  Walk apply_stochastic;  // rounds half-precision parameters stochastically
};

struct Backend {
  const char* name;
  bool (*supported)();
  const Sweep (*table)[kDtypeCount];
};

// The rules in the order of the tables.
std::size_t rule_count();
const Description& rule_description(std::size_t rule);
// The row of a rule by its name; throws Error when there is none.
std::size_t find_rule(const char* name);

// All backends this library was compiled with, best first.
std::size_t backend_count();
const Backend& backend_at(std::size_t index);

// The backend that runs by default: MDBOPT_BACKEND if it is set, else the best that this processor
// supports.
const Backend& active_backend();
// A backend by name; throws Error, listing what there is, when it is unknown or not supported here.
const Backend& find_backend(const char* name);

}  // namespace mdbopt
