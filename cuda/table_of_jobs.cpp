// table_of_jobs – looked up by what it holds.
#include "table_of_jobs.h"

#include <cstring>

#include "device.h"
#include "memory.h"

namespace mdbopt::cuda {
namespace {

bool same(const std::vector<DeviceJob>& a, const std::vector<DeviceJob>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
}

}  // namespace

TableOfJobs::~TableOfJobs() {
  for (const Table& table : tables_) free(place_, table.memory);
}

const void* TableOfJobs::of(const Jobs& jobs, const Place& place) {
  place_ = place;
  if (jobs.table_bytes() == 0) return nullptr;
  const bool recording = is_capturing(place);
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
      if (!table.recorded) free(place_, table.memory);
      return !table.recorded;
    });
    tables_.push_back({allocate(place, jobs.table_bytes()), {}, recording});
  }
  Table& table = tables_.back();
  upload(place, table.memory, jobs.all().data(), jobs.table_bytes());
  table.jobs = jobs.all();
  return table.memory;
}

}  // namespace mdbopt::cuda
