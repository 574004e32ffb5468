// pool – a small thread pool of our own: fork-safe, bounded, with nothing shared with OpenMP
// runtimes of others.
#pragma once

#include <cstddef>

namespace mdbopt {

// Threads that a call uses by default: MDBOPT_NUM_THREADS if set, else OMP_NUM_THREADS, else the
// processors that this process may use: those of its affinity mask, of the CPU quota of its control
// group, and LOKY_MAX_CPU_COUNT at most; and OMP_THREAD_LIMIT at most unless the first is set. Throws
// Error when the first is not a whole number ≥ 1; values of the others that say nothing are ignored.
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
