// job_table – the jobs of a caller that steps again and again, on the device as long as they stay
// the same.
#pragma once

#include <memory>
#include <vector>

#include "jobs.h"

namespace mdbopt::cuda {

class JobTable {
 public:
  explicit JobTable(const Location& location) : location_(location) {}
  ~JobTable();
  JobTable(const JobTable&) = delete;
  JobTable& operator=(const JobTable&) = delete;

  // Where the jobs lie on the device; null where a launch carries them. A table that a graph has
  // recorded is never written again.
  const void* of(const Jobs& jobs, const Location& location);

 private:
  struct Table {
    void* memory;
    std::vector<DeviceJob> jobs;
    bool recorded;
  };
  Location location_;
  std::vector<Table> tables_;  // the last is in use
};

}  // namespace mdbopt::cuda
