// device_table – looked up by what it holds.
#include "device_table.h"

#include <algorithm>

#include "device.h"
#include "memory.h"

namespace mdbopt::cuda {

DeviceTable::~DeviceTable() {
  for (const Table& table : tables_) free(location_, table.memory);
}

const std::byte* DeviceTable::of(std::span<const std::byte> rows, const Location& location) {
  location_ = location;
  if (rows.empty()) return nullptr;
  const bool recording = is_capturing(location);
  for (Table& table : tables_) {
    if (!std::ranges::equal(table.rows, rows)) continue;
    table.recorded = table.recorded || recording;
    return static_cast<const std::byte*>(table.memory);
  }
  const bool reuse =
      !tables_.empty() && !tables_.back().recorded && tables_.back().rows.size() >= rows.size();
  if (!reuse) {
    // All but recorded tables are of arrays that are no more.
    std::erase_if(tables_, [&](const Table& table) {
      if (!table.recorded) free(location_, table.memory);
      return !table.recorded;
    });
    tables_.push_back({allocate(location, rows.size()), {}, recording});
  }
  Table& table = tables_.back();
  upload(location, table.memory, rows.data(), rows.size());
  table.rows.assign(rows.begin(), rows.end());
  return static_cast<const std::byte*>(table.memory);
}

}  // namespace mdbopt::cuda
