// device – streams and their order.
#include "device.h"

#include <mutex>
#include <vector>

namespace mdbopt::cuda {

bool is_capturing(const Location& location) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  const cudaError_t error = cudaStreamIsCapturing(stream_of(location), &status);
  // The legacy stream says so while any other is capturing, and cannot be captured itself.
  if (error == cudaErrorStreamCaptureImplicit) {
    cudaGetLastError();
    return false;
  }
  check(error, location.device, "asking whether a graph is recorded");
  return status == cudaStreamCaptureStatusActive;
}

void order(const Location& before, const Location& after) {
  if (before.stream == after.stream) return;
  const OnDevice scope(before.device);
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), before.device, "making an event");
  cudaError_t error = cudaEventRecord(event, stream_of(before));
  if (error == cudaSuccess) error = cudaStreamWaitEvent(stream_of(after), event, 0);
  cudaEventDestroy(event);
  check(error, before.device, "ordering two streams");
}

cudaError_t wait_for_device(int device) noexcept {
  int before = device;
  cudaGetDevice(&before);
  if (before != device) cudaSetDevice(device);
  const cudaError_t error = cudaDeviceSynchronize();
  if (before != device) cudaSetDevice(before);
  return error;
}

void catch_up(const Location& location, bool recorded) {
  if (is_capturing(location)) {
    throw DeviceError("cuda:" + std::to_string(location.device) +
                      ": a graph is being recorded, and the state that it works on cannot be read "
                      "before it has run, nor set");
  }
  if (recorded) check(wait_for_device(location.device), location.device, "in work queued before");
}

int multiprocessors(int device) {
  static std::mutex mutex;
  static std::vector<int> known;
  const std::lock_guard lock(mutex);
  if (known.size() <= static_cast<std::size_t>(device)) {
    known.resize(static_cast<std::size_t>(device) + 1, 0);
  }
  int& count = known[static_cast<std::size_t>(device)];
  if (count == 0) {
    check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), device,
          "counting multiprocessors");
  }
  return count;
}

}  // namespace mdbopt::cuda
