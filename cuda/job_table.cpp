// job_table – looked up by what it holds.
#include "job_table.h"

#include <cstring>

#include "device.h"
#include "memory.h"

namespace mdbopt::cuda {
namespace {

bool same(const std::vector<DeviceJob>& a, const std::vector<DeviceJob>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
}

}  // namespace

JobTable::~JobTable() {
  for (const Table& table : tables_) free(location_, table.memory);
}

const void* JobTable::of(const Jobs& jobs, const Location& location) {
  location_ = location;
  if (jobs.table_bytes() == 0) return nullptr;
  const bool recording = is_capturing(location);
  for (Table& table : tables_) {
    if (!same(table.jobs, jobs.all())) continue;
    table.recorded = table.recorded || recording;
    return table.memory;
  }
  const bool reuse = !tables_.empty() && !tables_.back().recorded &&
                     tables_.back().jobs.size() >= jobs.all().size();
  if (!reuse) {
    // All but recorded tables are of jobs that are no more.
    std::erase_if(tables_, [&](const Table& table) {
      if (!table.recorded) free(location_, table.memory);
      return !table.recorded;
    });
    tables_.push_back({allocate(location, jobs.table_bytes()), {}, recording});
  }
  Table& table = tables_.back();
  upload(location, table.memory, jobs.all().data(), jobs.table_bytes());
  table.jobs = jobs.all();
  return table.memory;
}

}  // namespace mdbopt::cuda
