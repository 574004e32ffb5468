// stored_jobs – looks each array's layout up.
#include "stored_jobs.h"

#include <cstdint>

#include "../csrc/engine/layout.h"
#include "jobs.h"

namespace mdbopt::cuda {
namespace {

const Layout* layout_of(const Job& job, std::size_t k) {
  return job.layouts == nullptr || job.layouts[k].data == nullptr ? nullptr : job.layouts + k;
}

}  // namespace

StoredJobs::StoredJobs(std::span<const Job> jobs, const Description& rule,
                       const DeviceStep::Following* following) {
  const std::size_t streams = rule.stream_count;
  arrays_.reserve(jobs.size() * streams);  // jobs point into it
  jobs_.reserve(jobs.size());
  for (const Job& job : jobs) {
    Job& stored = jobs_.emplace_back(job);
    stored.streams = arrays_.data() + arrays_.size();
    for (std::size_t k = 0; k < streams; ++k) {
      const Layout* layout = layout_of(job, k);
      arrays_.push_back(layout != nullptr ? layout->data : job.streams[k]);
      formats_ = formats_ || (layout != nullptr && job.size > 0);
    }
  }
  if (!formats_ && following == nullptr) return;
  rows_.reserve(jobs.size());
  for (const Job& job : jobs) {
    if (job.size > 0) add_row(job, streams, following != nullptr && following->averages);
  }
}

void StoredJobs::add_row(const Job& job, std::size_t streams, bool averages) {
  StoredJob row{nullptr, averages ? job.streams[streams] : nullptr, 0, 0};
  for (std::size_t k = 0; k < streams; ++k) {
    const Layout* layout = layout_of(job, k);
    const Format format = layout != nullptr ? layout->format : Format::kPlain;
    row.formats |= static_cast<std::uint32_t>(format) << (kFormatBits * k);
    if (layout == nullptr) continue;
    row.stochastic |= (layout->stochastic ? 1U : 0U) << k;
    if (layout->low != nullptr) row.low = static_cast<std::uint16_t*>(layout->low);
  }
  packed_ = packed_ && is_aligned(row.low) && is_aligned(row.average);
  rows_.push_back(row);
}

}  // namespace mdbopt::cuda
