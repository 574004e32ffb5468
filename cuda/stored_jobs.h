// stored_jobs – jobs of which some arrays are in a format, or that something follows: what a walk must know of
// them beside their table.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <span>
#include <vector>

#include "../csrc/runtime/device.h"
#include "walk_arguments.h"

namespace mdbopt::cuda {

class StoredJobs {
 public:
  // Of jobs whose layouts are all of dense arrays in a format; `rule` is walked over them, and behind its apply
  // what is `following`, if that is not null.
  StoredJobs(std::span<const Job> jobs, const Description& rule,
             const DeviceStep::Following* following = nullptr);

  // Whether some array is in a format.
  bool formats() const { return formats_; }
  // The jobs, with every array where it is stored.
  std::span<const Job> jobs() const { return jobs_; }
  // What has to lie on the device, a row for each job that is not empty; nothing where the jobs are plain.
  std::span<const std::byte> rows() const { return std::as_bytes(std::span(rows_)); }
  // Whether what only the rows know starts at a multiple of 16 bytes.
  bool packed() const { return packed_; }

 private:
  void add_row(const Job& job, std::size_t streams, bool averages);

  std::vector<void*> arrays_;
  std::vector<Job> jobs_;
  std::vector<StoredJob> rows_;
  bool formats_ = false;
  bool packed_ = true;
};

}  // namespace mdbopt::cuda
