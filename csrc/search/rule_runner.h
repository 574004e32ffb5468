// rule_runner – runs rules on flat arrays of one size and dtype, for searches, which own their arrays.
#pragma once

#include <initializer_list>
#include <memory>

#include "../engine/check.h"
#include "../engine/launch.h"
#include "../engine/reduction.h"
#include "buffer.h"

namespace mdbopt::search {

struct RuleRunner {
  std::size_t size = 0;
  Dtype dtype = Dtype::kFloat64;
  std::shared_ptr<const Execution> execution;  // the search's own: its stream may change

  RuleRunner of(std::size_t other_size, Dtype other_dtype) const {
    return {other_size, other_dtype, execution};
  }
  Where where() const { return execution ? Where(execution, &execution->location) : nullptr; }

  // Of the whole arrays, where these are shards.
  double elements() const {
    const Reduction* reduction = execution ? execution->reduction : nullptr;
    return reduction != nullptr ? reduction->elements() : static_cast<double>(size);
  }

  Buffer zeros() const { return Buffer(size, dtype, where()); }
  Buffer zeros(Dtype of_dtype) const { return Buffer(size, of_dtype, where()); }
  Buffer filled(double value) const {
    static const std::size_t fill = find_rule("fill");
    Buffer buffer = zeros(Dtype::kFloat64);
    run(fill, {buffer.data()}, {value});
    return buffer;
  }

  // Without sums, a device is not waited for.
  bool run(std::size_t rule, std::initializer_list<void*> streams,
           std::initializer_list<double> scalars, double* sums = nullptr) const {
    check_counts(rule, streams.size(), scalars.size());
    const Job job{streams.begin(), size};
    return launch(rule, dtype, {&job, 1}, scalars.begin(), sums, *execution);
  }
};

}  // namespace mdbopt::search
