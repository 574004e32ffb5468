// jobs – numbers the chunks through and looks at alignment.
#include "jobs.h"

#include <mdbopt/error.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace mdbopt::cuda {

bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

Jobs::Jobs(std::span<const Job> jobs, std::size_t streams, bool one_lr, bool keeps_empty) {
  jobs_.reserve(jobs.size());
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    const Job& job = jobs[k];
    if (job.size == 0 && !keeps_empty) continue;
    DeviceJob& made = jobs_.emplace_back();
    made = {};
    std::copy_n(job.streams, streams, made.streams);
    made.size = job.size;
    made.first_chunk = chunks_;
    made.lr = one_lr ? 0.0 : job.lr;
    made.step_sizes = job.step_sizes;
    made.copy = job.copy;
    made.array = job.array_at(k);
    elements_ += job.size;
    chunks_ += chunks_of(job.size);
    packed_ = packed_ && std::all_of(job.streams, job.streams + streams, is_aligned) &&
              is_aligned(job.step_sizes) && is_aligned(job.copy);
  }
  if (jobs_.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Error("jobs: expected fewer than 2^32 arrays");
  }
}

std::size_t Jobs::table_bytes() const {
  return jobs_.size() <= kFewJobs ? 0 : jobs_.size() * sizeof(DeviceJob);
}

void Jobs::describe(WalkArguments& walk, const void* table) const {
  walk.jobs = static_cast<std::uint32_t>(jobs_.size());
  walk.packed = packed_;
  walk.chunks = chunks_;
  if (table_bytes() > 0) {
    walk.table = static_cast<const DeviceJob*>(table);
  } else {
    std::copy(jobs_.begin(), jobs_.end(), walk.few);
  }
}

}  // namespace mdbopt::cuda
