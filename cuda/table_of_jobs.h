// table_of_jobs – the jobs of a caller that steps again and again, on the device as long as they stay
// the same.
#pragma once

#include <memory>
#include <vector>

#include "jobs.h"

namespace mdbopt::cuda {

class TableOfJobs {
 public:
  explicit TableOfJobs(const Place& place) : place_(place) {}
  ~TableOfJobs();
  TableOfJobs(const TableOfJobs&) = delete;
  TableOfJobs& operator=(const TableOfJobs&) = delete;

  // Where the jobs lie on the device; null where a launch carries them. A table that a graph has
  // recorded is never written again.
  const void* of(const Jobs& jobs, const Place& place);

 private:
  struct Table {
    void* memory;
    std::vector<DeviceJob> jobs;
    bool recorded;
  };
  Place place_;
  std::vector<Table> tables_;  // the last is in use
};

}  // namespace mdbopt::cuda
