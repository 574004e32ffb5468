// emulated – what the parts of the stand-in for CUDA share: one lock, one error, memory, streams.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace emulated {

// --- runtime.cpp ---------------------------------------------------------------------------------
struct Counters {
  std::uint64_t kernels, copies_to_host, bytes_to_host, copies_to_device, bytes_to_device,
      synchronizations, graph_launches;
};

// Held in every call, and so while kernels run.
std::mutex& mutex();
Counters& counters();
int device_count();
int current_device();
std::size_t device_bytes();
// What every call returns instead of doing anything: no device, or an operation that failed.
cudaError_t standing_error();
void stand(cudaError_t error);
// The thread's last error, unless it is cudaSuccess; returns the error.
cudaError_t remember(cudaError_t error);
// Whether a test asked for the failure of this one.
bool allocation_fails();
bool kernel_fails();
[[noreturn]] void die(const char* format, ...) __attribute__((format(printf, 1, 2)));

template <class Body>
cudaError_t locked(Body body) {
  const std::lock_guard lock(mutex());
  const cudaError_t standing = standing_error();
  return remember(standing != cudaSuccess ? standing : body());
}

// --- scheduler.cpp -------------------------------------------------------------------------------
struct Launch {
  void (*call)(void (*kernel)(), void* const* arguments);
  void (*kernel)();
  std::vector<void*> arguments;
  std::shared_ptr<std::byte> storage;  // of the arguments
  dim3 grid, block;
};

void run_blocks(const Launch& launch);

// --- memory.cpp ----------------------------------------------------------------------------------
struct Place {
  enum Kind { kPageable, kPinned, kDevice } kind;
  int device;       // that has the memory, or was current when it was pinned
  bool whole;       // the range lies in one allocation
  bool given_back;  // the caller has freed it, the stream is not there yet
};

Place place_of(const void* pointer, std::size_t bytes);
// Lets the memory of the device be touched, or of two, and of no other.
void open_memory(int device);
void open_memory(int device, int other);
void close_memory();
void release(void* pointer);
// Names what was written beyond an allocation of the device on stderr and repairs it.
bool guards_are_whole(int device);
std::uint64_t live_allocations();
std::uint64_t live_bytes();
std::uint64_t live_host_allocations();

// --- streams.cpp ---------------------------------------------------------------------------------
struct Stream;
using StreamPointer = std::shared_ptr<Stream>;

// Null for a handle that names no stream.
StreamPointer stream_of(cudaStream_t handle);
int device_of(const Stream& stream);
bool capturing(const Stream& stream);
// What the call may not do while it captures: invalidates the capture.
cudaError_t refuse_in_capture(Stream& stream);
// The same for calls without a stream, such as cudaMalloc; cudaSuccess where nothing is captured.
cudaError_t refuse_while_capturing();
// `undo` is called in place of `body` when an error drops what is queued.
cudaError_t submit(const StreamPointer& stream, std::function<cudaError_t()> body,
                   std::function<void()> undo = nullptr);
// Runs what is queued, and what it depends on.
cudaError_t wait_for(const StreamPointer& stream);
cudaError_t wait_for_device(int device);
cudaError_t wait_for_all();

}  // namespace emulated
