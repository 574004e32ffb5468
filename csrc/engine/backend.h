// backend – a table [rule][dtype] of compiled sweeps, one table per instruction set or device.
#pragma once

#include <mdbopt/dtype.h>
#include <mdbopt/launch.h>

#include <cstddef>
#include <cstdint>

#include "format.h"
#include "layout.h"
#include "rule.h"

namespace mdbopt {

// Room for what a rule's gather and apply need of the scalars.
struct alignas(64) Coef {
  unsigned char bytes[kMaxCoefBytes];
};

// How a walk goes, the same for all its jobs.
struct PassArguments {
  const void* coef;
  std::uint64_t key;  // of the random bits
};

// One rule compiled for one dtype and one instruction set; null where it does not have the part.
// gather and apply walk the chunks [first, last) of one job and write partials[chunk * sum_count +
// k]; `before` chunks of other jobs precede it.
struct CompiledRule {
  using Prepare = bool (*)(const double* scalars, double n, void* coef);
  using Solve = bool (*)(double* sums, double n, void* coef);
  using Walk = void (*)(const Job& job, std::size_t first, std::size_t last, std::size_t before,
                        const PassArguments& arguments, double* partials);
  Prepare prepare;
  Walk gather;
  Solve solve;
  Walk apply;
  Walk apply_stochastic;  // rounds half-precision parameters stochastically
};

struct Backend {
  const char* name;
  bool (*supported)();
  const CompiledRule (*table)[kDtypeCount];
  const CompiledFormats* formats;
};

// All backends this library was compiled with, best first.
std::size_t backend_count();
const Backend& backend_at(std::size_t index);

// The place of a scalar among those of a rule; kMaxScalars where it has none of that name.
std::size_t scalar_named(const Description& rule, const char* name);

}  // namespace mdbopt
