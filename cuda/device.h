// device – the device that calls of this thread go to, and streams as the core hands them over.
#pragma once

#include <cuda_runtime.h>
#include <mdbopt/tensor.h>

#include "error.h"

namespace mdbopt::cuda {

// Makes a device current for a scope.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    check(cudaGetDevice(&before_), device, "finding the current device");
    if (before_ == device) return;
    check(cudaSetDevice(device), device, "choosing the device");
    changed_ = true;
  }
  ~OnDevice() {
    if (changed_) cudaSetDevice(before_);
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

inline cudaStream_t stream_of(const Location& location) {
  return static_cast<cudaStream_t>(location.stream);
}

bool is_capturing(const Location& location);

// Work queued on `after` from now on waits for what is queued on `before`; both on one device.
void order(const Location& before, const Location& after);

// For all streams of a device.
cudaError_t wait_for_device(int device) noexcept;

// Before the host reads or writes what kernels on a stream keep: once a graph has recorded them, only
// who replays it knows on which stream they run. Throws DeviceError while one is being recorded.
void catch_up(const Location& location, bool recorded);

// What limits the number of blocks worth launching.
int multiprocessors(int device);

}  // namespace mdbopt::cuda
