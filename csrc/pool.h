// pool – a small thread pool of our own: fork-safe, bounded, with nothing shared with OpenMP runtimes of others.
#pragma once

#include <cstddef>

namespace mdbopt {

// Threads that a call uses by default: MDBOPT_NUM_THREADS if set, else the processors this process may use, bounded by
// its affinity mask and by the CPU quota of its control group. Throws Error when the variable is not a whole number ≥ 1.
std::size_t default_threads();

// How many of the wanted threads are worth having for work that takes one thread this long: all or one. Workers that
// still spin from the last region cost next to nothing; waking sleeping ones costs what it was last seen to cost, some
// microseconds on a bare machine and some hundreds in a virtual one.
std::size_t worthwhile(std::size_t wanted, double nanoseconds);

// Runs body(context, part) for part = 0 … parts−1, each exactly once, and returns when all are done; the caller takes
// part. Runs serially when another thread is already inside a parallel region. A forked child starts with no workers
// and makes its own when it first needs them. body must not throw.
void parallel(std::size_t parts, void (*body)(void* context, std::size_t part), void* context);

}  // namespace mdbopt
