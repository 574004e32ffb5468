// launch – runs one rule over a list of flat jobs: prepare, gather, fold, solve, apply, fold.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "backend.h"
#include "tensor.h"

namespace mdbopt {

struct Execution {
  const Backend* backend = nullptr;  // nullptr: the active one
  std::size_t threads = 0;           // 0: default_threads()
};

// The threads that it asks for, or those a call uses by default.
std::size_t threads_of(const Execution& execution);

// The streams of one array, each of `size` elements, in the order of the rule's description.
struct Job {
  void* const* streams;
  std::size_t size;
};

// Runs `rule` over all jobs as if they were one array whose chunks are numbered through, and writes
// the gathered sums, then the emitted ones, to `sums`. Returns false when the rule refused: then no
// stream was written and emitted sums are 0. Trusts its arguments; allocates only when a call needs
// more chunks than any before it on this thread.
bool launch(std::size_t rule, Dtype dtype, std::span<const Job> jobs, const double* scalars,
            double* sums, const Execution& execution);

// Several rules in one pass over arrays of one size: all of them on a chunk before the next chunk,
// so that what they share comes from memory once. No rule may gather and apply both, none may
// refuse, and none may need a sum of an earlier one.
class Chain {
 public:
  void clear() { links_.clear(); }
  std::size_t size() const { return links_.size(); }
  // Appends a rule; returns its place.
  std::size_t add(std::size_t rule, std::initializer_list<void*> streams,
                  std::initializer_list<double> scalars);
  void run(Dtype dtype, std::size_t size, const Execution& execution);
  double sum(std::size_t link, std::size_t k) const { return links_[link].sums[k]; }

 private:
  struct Link {
    std::size_t rule;
    void* streams[kMaxStreams];
    double scalars[kMaxScalars];
    double sums[kMaxSums];
    alignas(16) unsigned char coef[kMaxCoefBytes];
  };
  std::size_t bytes(Dtype dtype) const;
  std::vector<Link> links_;
};

// Throws Error or TypeError, naming rule and stream, unless the streams have the right count,
// sizes, dtypes and storage, what is written is writable, and nothing written overlaps another
// stream. Returns the dtype of the call.
Dtype check_streams(const Description& rule, std::span<const Tensor> streams);

// The walks and bytes that launches on this thread have moved, for tests of the promised traffic.
struct Traffic {
  std::size_t walks;
  std::size_t bytes;
};
Traffic& traffic();

// Throws Error unless a call brings as many streams and scalars as the rule has.
void check_counts(std::size_t rule, std::size_t streams, std::size_t scalars);

// Bytes read and written per element by one gather or apply of the rule.
std::size_t gather_bytes(const Description& rule, Dtype dtype);
std::size_t apply_bytes(const Description& rule, Dtype dtype);

}  // namespace mdbopt
