// location – where the arrays of one call live, and the stream that its work is queued on.
#pragma once

#include <mdbopt/tensor.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

namespace mdbopt::bind {

struct ArrayLibrary;

// CUDA's handle of the legacy default stream; 0 means the same to CUDA, but nothing to DLPack.
inline void* legacy_stream() { return reinterpret_cast<void*>(1); }
// A stream as a number, 0 for the legacy default one. Throws Error for a negative one.
void* stream_numbered(std::int64_t number, const std::string& what);
std::int64_t number_of_stream(const void* stream);

// The stream that the array's library works on at the time; its object may have to be held.
void* current_stream(pybind11::handle array, int device, pybind11::object& held);

// Throws DeviceError, naming the array `what` that lives there, unless this device can be used; or,
// for an argument that names a device, also Error.
void require_device(int device, const std::string& what);
void require_usable(int device);

// Makes a device the current one of a library that knows such a thing, for as long as this lives:
// PyTorch and CuPy tell the stream of that one, and PyTorch exports its arrays only.
class AsCurrent {
 public:
  AsCurrent(const ArrayLibrary& library, int device);
  ~AsCurrent();
  AsCurrent(const AsCurrent&) = delete;
  AsCurrent& operator=(const AsCurrent&) = delete;

 private:
  pybind11::object context_;
  bool entered_ = false;
};

// The arrays of a call are told to it one after the other. The first one on a device decides: work is
// queued on the stream that its library works on at the time, and other libraries are asked to order
// theirs before it. That all live in one memory is checked elsewhere.
class CallStream {
 public:
  const Location& location() const { return location_; }

  // Throws DeviceError, naming `what`, when the first array's device cannot be used.
  void meet(pybind11::handle array, int device, const std::string& what);
  // The same for an array whose library is not asked to order itself. False when it would have to be,
  // or when the device cannot be used.
  bool shares(pybind11::handle array, int device);
  // What to ask the library of such an array for, in DLPack's convention.
  std::int64_t number_for(int device) const;

 private:
  void decide(pybind11::handle array, int device);

  Location location_;
  pybind11::object held_;            // the stream's own object
  const void* functions_ = nullptr;  // of the library that decided
};

}  // namespace mdbopt::bind
