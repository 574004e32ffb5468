// backend – a table [rule][dtype] of compiled sweeps, one table per instruction set or device.
#pragma once

#include <cstddef>

#include "dtype.h"
#include "rule.h"

namespace mdbopt {

// One rule compiled for one dtype and one instruction set. gather and apply walk the chunks [first,
// last) of one flat job of n elements and write partials[chunk * sum_count + k].
struct Sweep {
  using Prepare = bool (*)(const double* scalars, double n, void* coef);
  using Solve = bool (*)(const double* sums, double n, void* coef);
  using Walk = void (*)(void* const* streams, std::size_t n, std::size_t first, std::size_t last,
                        const void* coef, double* partials);
  Prepare prepare;
  Walk gather;
  Solve solve;
  Walk apply;
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
