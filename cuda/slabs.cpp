// slabs – cut where a slab is full, an array after the other.
#include "slabs.h"

#include <algorithm>
#include <bit>

#include "../csrc/base/block_codes.h"
#include "../csrc/engine/layout.h"
#include "opening.cuh"
#include "queue.h"
#include "rule_table.h"

namespace mdbopt::cuda {
namespace {

void* shifted(const void* data, std::size_t bytes) {
  return data == nullptr ? nullptr : static_cast<char*>(const_cast<void*>(data)) + bytes;
}

// Where an array's elements from `begin`, the first of a chunk, are stored.
void* stored_from(const Layout& layout, std::size_t begin) {
  const bool codes = is_codes(layout.format);
  return shifted(layout.data,
                 codes ? begin / kBlock * kBlockBytes : begin * info(layout.dtype).bytes);
}

void queue_opening(void (*kernel)(Opening), const Opening& opening, const Location& location,
                   const char* doing) {
  if (opening.streams == 0 || opening.blocks == 0) return;
  launch(kernel, blocks_for(opening.blocks, kWalkThreads / kWarp, location), kWalkThreads, opening,
         location, doing);
}

}  // namespace

Slabs::Slabs(std::span<const Job> jobs, const Description& rule, Dtype dtype, bool one_lr,
             const DeviceStep::Following* following, const void* coef)
    : all_(jobs), rule_(rule), dtype_(dtype), one_lr_(one_lr), following_(following), coef_(coef) {
  for (const Job& job : jobs) {
    chunks_ += chunks_of(job.size);
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      if (opens(job, k)) opened_ |= 1U << k;
    }
  }
}

bool Slabs::opens(const Job& job, std::size_t k) const {
  return job.layouts != nullptr && job.layouts[k].data != nullptr;
}

std::size_t Slabs::planes() const {
  return static_cast<std::size_t>(std::popcount(opened_)) + (following_ != nullptr ? 1 : 0);
}

std::size_t Slabs::plane() const {
  return std::min(chunks_, kSlabChunks) * kChunk * info(dtype_).bytes;
}

void Slabs::lay_out(std::byte* scratch) {
  if (!any()) return;
  std::vector<Stretch> cuts;
  std::size_t chunk = 0, first = 0, index = 0;
  for (const Job& job : all_) {
    for (std::size_t begin = 0; begin < job.size;) {
      const std::size_t room = (kSlabChunks - (chunk - first)) * kChunk;
      const std::size_t size = std::min(job.size - begin, room);
      cuts.push_back({&job, index, begin, size});
      begin += size;
      chunk += chunks_of(size);
      if (chunk - first < kSlabChunks) continue;
      add_slab(cuts, first, scratch);
      cuts.clear();
      first = chunk;
    }
    index += job.size > 0 ? 1 : 0;  // as Jobs numbers them
  }
  if (!cuts.empty()) add_slab(cuts, first, scratch);
}

void Slabs::add_slab(std::span<const Stretch> cuts, std::size_t first_chunk, std::byte* scratch) {
  std::vector<void*> streams;
  streams.reserve(cuts.size() * rule_.stream_count);
  std::vector<Followed> followed;
  followed.reserve(cuts.size());
  std::vector<Job> jobs, following;
  std::vector<StoredArray> stored;
  std::size_t chunk = 0, blocks = 0;
  for (const Stretch& stretch : cuts) {
    const auto& [job, index, begin, size] = stretch;
    Job cut = *job;
    cut.size = size;
    cut.step_sizes = shifted(job->step_sizes, begin * info(arithmetic_dtype(dtype_)).bytes);
    cut.copy = shifted(job->copy, begin * info(Dtype::kBFloat16).bytes);
    cut.streams = streams.data() + streams.size();
    std::byte* opened = scratch + chunk * kChunk * info(dtype_).bytes;
    for (std::size_t k = 0; k < rule_.stream_count; ++k) {
      if (opens(*job, k)) {
        const Layout& layout = job->layouts[k];
        std::uint16_t* low = static_cast<std::uint16_t*>(layout.low);
        stored.push_back({stored_from(layout, begin), low == nullptr ? nullptr : low + begin,
                          reinterpret_cast<float*>(opened), size, blocks, first_chunk + chunk, k,
                          static_cast<std::uint32_t>(layout.format), layout.stochastic ? 1U : 0U});
        blocks += blocks_of(size);
        streams.push_back(opened);
      } else {
        const Dtype own = stored_dtype(rule_.streams[k].storage, dtype_);
        streams.push_back(shifted(job->streams[k], begin * info(own).bytes));
      }
      if ((opened_ >> k & 1U) != 0) opened += plane();
    }
    if (following_ != nullptr) {
      followed.push_back(followed_by(cut, stretch, opened));
      following.push_back(cut);
      following.back().streams = followed.back().data();
      cut.copy = nullptr;  // is of x as it is in the end
    }
    jobs.push_back(cut);
    chunk += chunks_of(size);
  }
  Slab slab{Jobs(jobs, rule_.stream_count, one_lr_),
            cuts.front().index,
            first_chunk,
            0,
            0,
            stored.size(),
            blocks,
            {},
            0};
  if (slab.jobs.table_bytes() > 0) slab.jobs_at = add_rows(slab.jobs.all());
  slab.stored_at = add_rows(stored);
  if (following_ != nullptr) {
    slab.following.emplace(following, Followed{}.size(), one_lr_);
    if (slab.following->table_bytes() > 0) slab.following_at = add_rows(slab.following->all());
  }
  slabs_.push_back(std::move(slab));
}

// One that is not looked at is x again. Spare memory has x as it was before, over which an average is written
// that nobody keeps.
Slabs::Followed Slabs::followed_by(const Job& cut, const Stretch& stretch, void* spare) const {
  void* x = cut.streams[0];
  void* average = spare;
  if (following_->averages) {
    average = shifted(stretch.job->streams[rule_.stream_count], stretch.begin * info(dtype_).bytes);
  }
  return {x, keeps_x() ? spare : x, following_->holds_back ? cut.streams[1] : x, average};
}

void Slabs::keep(const Slab& slab, const WalkArguments& whole, const Location& location) const {
  if (!keeps_x()) return;
  const CompiledRule& row = compiled_rule(following_->keep, dtype_);
  WalkArguments walk{};
  slab.following->describe(walk, there_ + slab.following_at);
  const double scale = 1.0;
  row.prepare(&scale, 0.0, walk.host_coef);
  walk.refused = whole.refused;
  queue_walk(row.apply, 0, walk, location, "keeping parameters");
}

void Slabs::follow(const Slab& slab, const WalkArguments& whole, const Location& location) const {
  WalkArguments walk{};
  slab.following->describe(walk, there_ + slab.following_at);
  walk.coef = coef_;
  walk.lr = whole.lr;
  walk.refused = whole.refused;
  queue_walk(compiled_rule(following_->rule, dtype_).apply, 0, walk, location,
             description_of(following_->rule).name);
}

template <class Row>
std::size_t Slabs::add_rows(const std::vector<Row>& rows) {
  static_assert(alignof(Row) <= alignof(void*) && sizeof(Row) % alignof(void*) == 0);
  const std::size_t at = rows_.size();
  const std::span<const std::byte> bytes = std::as_bytes(std::span(rows));
  rows_.insert(rows_.end(), bytes.begin(), bytes.end());
  return at;
}

void Slabs::queue(WalkKernel kernel, bool gathers, const WalkArguments& whole,
                  const Location& location) const {
  const std::size_t sums = gathers ? rule_.gathered_count : rule_.emitted_count;
  std::uint32_t reads = 0, writes = 0;
  for (std::size_t k = 0; k < rule_.stream_count; ++k) {
    const Role role = rule_.streams[k].role;
    const bool read = role != Role::kOut && (!gathers || (rule_.gather_reads >> k & 1U) != 0);
    reads |= (read ? 1U : 0U) << k;
    writes |= (!gathers && role != Role::kIn ? 1U : 0U) << k;
  }
  for (const Slab& slab : slabs_) {
    WalkArguments walk = whole;
    walk.table = nullptr;
    slab.jobs.describe(walk, there_ + slab.jobs_at);
    if (sums > 0) walk.partials = whole.partials + slab.first_chunk * sums;
    if (whole.coef_each) {
      walk.coef = static_cast<const std::byte*>(whole.coef) + slab.first_job * kMaxCoefBytes;
    }
    Opening opening{reinterpret_cast<const StoredArray*>(there_ + slab.stored_at),
                    static_cast<std::uint32_t>(slab.stored_count),
                    slab.blocks,
                    reads,
                    whole.key,
                    whole.refused};
    queue_opening(open_kernel, opening, location, "opening arrays in a format");
    const bool followed = following_ != nullptr && !gathers;
    if (followed) keep(slab, whole, location);
    queue_walk(kernel, sums, walk, location, rule_.name);
    if (followed) follow(slab, whole, location);
    opening.streams = writes;
    queue_opening(close_kernel, opening, location, "storing arrays in a format");
  }
}

}  // namespace mdbopt::cuda
