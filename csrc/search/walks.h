// walks – runs rules on flat arrays of one size and dtype, for searches, which own their arrays.
#pragma once

#include <initializer_list>

#include "../check.h"
#include "../launch.h"

namespace mdbopt::search {

struct Walks {
  std::size_t size = 0;
  Dtype dtype = Dtype::kFloat64;
  Execution execution;

  bool run(std::size_t rule, std::initializer_list<void*> streams,
           std::initializer_list<double> scalars, double* sums) const {
    check_counts(rule, streams.size(), scalars.size());
    const Job job{streams.begin(), size};
    return launch(rule, dtype, {&job, 1}, scalars.begin(), sums, execution);
  }
  void run(Chain& chain) const { chain.run(dtype, size, execution); }
};

}  // namespace mdbopt::search
