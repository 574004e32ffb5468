// results – memory of the host that a device writes to directly, one piece a thread.
#include "results.h"

#include <cuda_runtime.h>

#include "device.h"

namespace mdbopt::cuda {
namespace {

class Pinned {
 public:
  ~Pinned() {
    if (memory_ != nullptr && cudaFreeHost(memory_) != cudaSuccess) cudaGetLastError();
  }
  void* of(std::size_t bytes, int device) {
    if (bytes <= bytes_) return memory_;
    void* larger = nullptr;
    const std::size_t rounded = (bytes + kPage - 1) / kPage * kPage;
    check(cudaHostAlloc(&larger, rounded, cudaHostAllocPortable), device, "allocating on the host");
    if (memory_ != nullptr) cudaFreeHost(memory_);
    memory_ = larger;
    bytes_ = rounded;
    return memory_;
  }

 private:
  static constexpr std::size_t kPage = 4096;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace

const void* fetch(const void* numbers, std::size_t bytes, const Location& location) {
  thread_local Pinned pinned;
  void* here = pinned.of(bytes, location.device);
  check(cudaMemcpyAsync(here, numbers, bytes, cudaMemcpyDeviceToHost, stream_of(location)),
        location.device, "copying numbers to the host");
  check(cudaStreamSynchronize(stream_of(location)), location.device,
        "in this call or in work queued before it");
  return here;
}

}  // namespace mdbopt::cuda
