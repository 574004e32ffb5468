// pool – a small thread pool of our own: fork-safe, bounded, with nothing shared with OpenMP
// runtimes of others.
#pragma once

#include <cstddef>

namespace mdbopt {

// Threads that a call uses by default: MDBOPT_NUM_THREADS if set, else the processors this process
// may use, bounded by its affinity mask and by the CPU quota of its control group. Throws Error
// when the variable is not a whole number ≥ 1.
std::size_t default_threads();

// Into how many parts to cut work that takes one thread this long, for at most this many threads: 1
// when threads would not pay, else a few per thread, so that one that wakes late still finds
// something to do.
std::size_t parts_for(std::size_t threads, double nanoseconds);

// Runs body(context, part) for part = 0 … parts−1, each exactly once, on at most this many threads,
// and returns when all are done. Threads take parts as they come, the caller with them, so that
// nobody waits for a thread that still sleeps. Runs serially when another thread is already inside
// a parallel region. A forked child starts with no workers and makes its own when it first needs
// them. body must not throw.
void parallel(std::size_t parts, std::size_t threads, void (*body)(void* context, std::size_t part),
              void* context);

}  // namespace mdbopt
