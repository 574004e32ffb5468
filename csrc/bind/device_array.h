// device_array – an array on a device for other libraries to take in: a view of somebody's memory, or
// memory of its own.
#pragma once

#include <mdbopt/tensor.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace mdbopt::bind {

// Memory on a device and what keeps it: a Python object, or nobody else.
class DeviceMemory {
 public:
  // Allocates in the order of the location's stream. Throws OutOfMemory.
  DeviceMemory(const Location& location, std::size_t bytes);
  DeviceMemory(const Location& location, void* data, pybind11::object owner);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* data() const { return data_; }
  const Location& location() const { return location_; }

 private:
  Location location_;  // its stream is the one that the memory is written on
  void* data_;
  pybind11::object owner_;
  bool owns_;
};

// In row-major order. Consumers may use its memory in the order of the stream that they name when they
// take it in, and on others after that; work on their streams must be done before the last of them
// lets go of memory of its own, as PyTorch wants it, too.
struct DeviceArray {
  std::shared_ptr<DeviceMemory> memory;
  Dtype dtype = Dtype::kFloat64;
  std::vector<std::int64_t> shape;
  bool writable = true;

  std::size_t size() const;
  std::size_t bytes() const { return size() * info(dtype).bytes; }
};

// A flat view of device memory that lives as long as `owner`; read-only unless the tensor may be
// written. Its location has the stream that the memory is written on.
pybind11::object device_view(const Tensor& tensor, pybind11::object owner);

// Copies an array into memory of its own; of any layout that is dense, and kept so in NumPy's.
pybind11::object to_host(pybind11::handle array, const std::string& what);

}  // namespace mdbopt::bind
