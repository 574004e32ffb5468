// slabs – walks over arrays of which some are in a format: so many chunks at a time are opened to float32 in
// scratch memory, walked over there, and closed again.
//
//   open  walk  [close]   open  walk  [close]   …
//
// A walk sees arrays that are cut between chunks, with their chunks numbered from 0 in each slab; its partial
// sums, random bits and coefs are those of one walk over all.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <span>
#include <vector>

#include "jobs.h"
#include "opening.h"

namespace mdbopt::cuda {

// 8 MiB of scratch memory for each stream.
inline constexpr std::size_t kSlabChunks = 2048;

class Slabs {
 public:
  // Of jobs whose layouts are all of dense arrays in a format; `rule` is walked over them in `dtype`.
  Slabs(std::span<const Job> jobs, const Description& rule, Dtype dtype, bool one_lr);

  // Whether anything is to be opened; else there are no slabs.
  bool any() const { return opened_ != 0; }
  // Floats of scratch memory.
  std::size_t scratch() const;
  // Cuts the jobs into slabs that are opened there.
  void lay_out(float* scratch);
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
  };
  // Of a job, its elements from `begin`.
  struct Stretch {
    const Job* job;
    std::size_t index, begin, size;
  };
  bool opens(const Job& job, std::size_t k) const;
  void add_slab(std::span<const Stretch> cuts, std::size_t first_chunk, float* scratch);
  template <class Row>
  std::size_t add_rows(const std::vector<Row>& rows);

  std::span<const Job> all_;
  const Description& rule_;
  Dtype dtype_;
  bool one_lr_;
  std::size_t chunks_ = 0;
  std::uint32_t opened_ = 0;  // a bit for each stream that some job has in a format
  std::vector<Slab> slabs_;
  std::vector<std::byte> rows_;
  const std::byte* there_ = nullptr;
};

}  // namespace mdbopt::cuda
