// jobs – the jobs of a call as kernels take them: a few with the launch, many in a table on the
// device.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <span>
#include <vector>

#include "../csrc/engine/backend.h"
#include "walk_arguments.h"

namespace mdbopt::cuda {

// Whether what lies there can be moved 16 bytes at a time.
bool is_aligned(const void* pointer);

class Jobs {
 public:
  // one_lr: jobs share a step size, which then stays out of them. Empty ones are left out, unless each
  // has sums of its own.
  Jobs(std::span<const Job> jobs, std::size_t streams, bool one_lr, bool keeps_empty = false);

  std::size_t elements() const { return elements_; }
  std::size_t chunks() const { return chunks_; }
  // Of a table on the device; 0 where the launch carries all.
  std::size_t table_bytes() const;
  const std::vector<DeviceJob>& all() const { return jobs_; }
  std::span<const std::byte> table() const {
    return std::as_bytes(std::span(jobs_)).first(table_bytes());
  }
  // Sets what a walk must know of its jobs; table: where they lie on the device.
  void describe(WalkArguments& walk, const void* table) const;

 private:
  std::vector<DeviceJob> jobs_;
  std::size_t elements_ = 0;
  std::size_t chunks_ = 0;
  bool packed_ = true;
};

}  // namespace mdbopt::cuda
