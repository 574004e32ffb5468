// device_table – a table of arrays of a caller that steps again and again, on the device as long as it stays
// the same.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <span>
#include <vector>

namespace mdbopt::cuda {

class DeviceTable {
 public:
  explicit DeviceTable(const Location& location) : location_(location) {}
  ~DeviceTable();
  DeviceTable(const DeviceTable&) = delete;
  DeviceTable& operator=(const DeviceTable&) = delete;

  // Where the rows lie on the device; null for none. A table that a graph has recorded is never written again.
  const std::byte* of(std::span<const std::byte> rows, const Location& location);

 private:
  struct Table {
    void* memory;
    std::vector<std::byte> rows;
    bool recorded;
  };
  Location location_;
  std::vector<Table> tables_;  // the last is in use
};

}  // namespace mdbopt::cuda
