// chunks – a loop over the chunks of an array on the pool of mdbopt, cut as the core cuts its own.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/fold.h"
#include "engine/launch.h"
#include "engine/pool.h"

namespace bench {

// Calls body(first, last) for runs of the chunks of `size` elements; `bytes` is what all of them
// move.
template <class Body>
void over_chunks(std::size_t size, std::size_t bytes, std::size_t threads, const Body& body) {
  struct Pass {
    const Body& body;
    std::size_t chunks, parts;
  };
  const std::size_t chunks = (size + mdbopt::kChunk - 1) / mdbopt::kChunk;
  const std::size_t wanted =
      mdbopt::parts_for(threads, mdbopt::kNanosecondsPerByte * static_cast<double>(bytes));
  Pass pass{body, chunks, std::min(wanted, std::max<std::size_t>(1, chunks))};
  const auto run_part = [](void* context, std::size_t part) {
    const Pass& whole = *static_cast<const Pass*>(context);
    whole.body(part * whole.chunks / whole.parts, (part + 1) * whole.chunks / whole.parts);
  };
  mdbopt::parallel(pass.parts, threads, run_part, &pass);
}

}  // namespace bench
