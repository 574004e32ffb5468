// check – what the streams of a call must be, tested before anything is written.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <span>
#include <string>

#include "backend.h"

namespace mdbopt {

// "the CPU" or "cuda:0", for messages.
std::string memory_name(int device);

// What an update may bring besides its streams; null where it does not.
struct Extras {
  const Tensor* step_sizes = nullptr;
  const Tensor* copy = nullptr;
  const Tensor* average = nullptr;
};

// The stream whose dtype fixes that of the others.
std::size_t leading_stream(const Description& rule);
// The dtype of a call whose leading stream has this one.
Dtype call_dtype(const Description& rule, Dtype leader);

// Throws Error or TypeError, naming rule and stream, unless the streams have the right count,
// sizes, dtypes and storage, live in one memory, the rule takes that dtype, what is written is writable, and nothing
// written overlaps another stream. Returns the dtype of the call.
Dtype check_streams(const Description& rule, std::span<const Tensor> streams,
                    const Extras& extras = {});

void check_stream_count(const Description& rule, std::size_t count);  // TypeError

// Throws Error unless a call brings as many streams and scalars as the rule has.
void check_counts(std::size_t rule, std::size_t streams, std::size_t scalars);

// Throws Error where a call on a device asks for a backend or a number of threads, which only the CPU has;
// `expected` is what the owner's users give instead, and for what.
void check_cpu_options(const std::string& owner, const Execution& execution,
                       const Location& location, const char* expected);

}  // namespace mdbopt
