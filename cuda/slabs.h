// slabs – walks over so many chunks at a time: of arrays of which some are in a format, that are opened to
// float32 in scratch memory and closed again, and of updates with something that follows them.
//
//   open  [keep x]  walk  [what follows]  [close]   open  [keep x]  walk  …
//
// A walk sees arrays that are cut between chunks, with their chunks numbered from 0 in each slab; its partial
// sums, random bits and coefs are those of one walk over all.
#pragma once

#include <mdbopt/tensor.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "../csrc/runtime/device.h"
#include "jobs.h"
#include "opening.h"

namespace mdbopt::cuda {

// 8 MiB of scratch memory for each stream in float32.
inline constexpr std::size_t kSlabChunks = 2048;

class Slabs {
 public:
  // Of jobs whose layouts are all of dense arrays in a format; `rule` is walked over them in `dtype`, and
  // behind its apply what is `following`, if that is not null, by its coef on the device.
  Slabs(std::span<const Job> jobs, const Description& rule, Dtype dtype, bool one_lr,
        const DeviceStep::Following* following = nullptr, const void* coef = nullptr);

  // Whether anything is to be opened or follows; else there are no slabs.
  bool any() const { return planes() > 0; }
  // Bytes of scratch memory.
  std::size_t scratch() const { return planes() * plane(); }
  // Cuts the jobs into slabs that have their scratch memory there.
  void lay_out(std::byte* scratch);
  // What has to lie on the device, and where it does.
  std::span<const std::byte> rows() const { return rows_; }
  void lie_at(const std::byte* rows) { there_ = rows; }

  // One walk of the rule over all slabs. `whole` is of the uncut jobs.
  void queue(WalkKernel kernel, bool gathers, const WalkArguments& whole,
             const Location& location) const;

 private:
  struct Slab {
    Jobs jobs;
    std::size_t first_job, first_chunk;
    std::size_t jobs_at, stored_at;  // in rows_
    std::size_t stored_count, blocks;
    std::optional<Jobs> following;
    std::size_t following_at;
  };
  // Of a job, its elements from `begin`.
  struct Stretch {
    const Job* job;
    std::size_t index, begin, size;
  };
  bool opens(const Job& job, std::size_t k) const;
  // Scratch memory is a plane for each stream that is opened, and behind these one for what follows.
  std::size_t planes() const;
  std::size_t plane() const;  // in bytes
  void add_slab(std::span<const Stretch> cuts, std::size_t first_chunk, std::byte* scratch);
  // What follows an update walks over x, x before, the gradient and the average.
  using Followed = std::array<void*, 4>;
  Followed followed_by(const Job& cut, const Stretch& stretch, void* spare) const;
  bool keeps_x() const { return following_->looks_back || !following_->averages; }
  void keep(const Slab& slab, const WalkArguments& whole, const Location& location) const;
  void follow(const Slab& slab, const WalkArguments& whole, const Location& location) const;
  template <class Row>
  std::size_t add_rows(const std::vector<Row>& rows);

  std::span<const Job> all_;
  const Description& rule_;
  Dtype dtype_;
  bool one_lr_;
  const DeviceStep::Following* following_;
  const void* coef_;
  std::size_t chunks_ = 0;
  std::uint32_t opened_ = 0;  // a bit for each stream that some job has in a format
  std::vector<Slab> slabs_;
  std::vector<std::byte> rows_;
  const std::byte* there_ = nullptr;
};

}  // namespace mdbopt::cuda
