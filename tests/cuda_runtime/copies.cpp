// copies – between host and devices, each run where its stream comes to it.
#include <cstdio>
#include <cstring>

#include "emulated.h"

namespace emulated {
namespace {

bool on_device(const Place& place) { return place.kind == Place::kDevice; }

bool usable(const void* pointer, const Place& place) {
  return pointer != nullptr && place.whole && !place.given_back;
}

bool kind_fits(cudaMemcpyKind kind, const Place& to, const Place& from) {
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !on_device(to) && !on_device(from);
    case cudaMemcpyHostToDevice:
      return on_device(to) && !on_device(from);
    case cudaMemcpyDeviceToHost:
      return !on_device(to) && on_device(from);
    case cudaMemcpyDeviceToDevice:
      return on_device(to) && on_device(from);
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

// What was freed since the call is no longer there.
bool still_there(const void* pointer, std::size_t bytes, const Place& before) {
  const Place place = place_of(pointer, bytes);
  if (place.kind == before.kind && place.whole) return true;
  std::fprintf(stderr, "emulated CUDA: %zu bytes at %p were freed before their copy ran\n", bytes,
               pointer);
  return false;
}

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  Place target, source;
  std::shared_ptr<std::byte[]> staged;  // what pageable memory held at the call

  cudaError_t operator()() const {
    if (!still_there(to, bytes, target)) return cudaErrorIllegalAddress;
    if (staged == nullptr && !still_there(from, bytes, source)) return cudaErrorIllegalAddress;
    if (on_device(target)) {
      open_memory(target.device, on_device(source) ? source.device : target.device);
    } else if (on_device(source)) {
      open_memory(source.device);
    }
    std::memmove(to, staged != nullptr ? staged.get() : from, bytes);
    Counters& c = counters();
    if (on_device(target) && !on_device(source)) {
      ++c.copies_to_device;
      c.bytes_to_device += bytes;
    } else if (on_device(source) && !on_device(target)) {
      ++c.copies_to_host;
      c.bytes_to_host += bytes;
    }
    return cudaSuccess;
  }
};

cudaError_t submit_and_wait(const StreamPointer& stream, std::function<cudaError_t()> body) {
  if (const cudaError_t error = submit(stream, std::move(body)); error != cudaSuccess) return error;
  ++counters().synchronizations;
  return wait_for(stream);
}

cudaError_t copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                 cudaStream_t handle, bool asynchronous) {
  const StreamPointer stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  Copy operation{to, from, bytes, place_of(to, bytes), place_of(from, bytes), nullptr};
  const Place& target = operation.target;
  const Place& source = operation.source;
  if (!usable(to, target) || !usable(from, source) || !kind_fits(kind, target, source)) {
    return cudaErrorInvalidValue;
  }
  const bool pageable = target.kind == Place::kPageable || source.kind == Place::kPageable;
  if (capturing(*stream) && pageable) return refuse_in_capture(*stream);
  const bool within_devices = on_device(target) && on_device(source);
  if (target.kind == Place::kPageable || (!asynchronous && !within_devices)) {
    return submit_and_wait(stream, operation);
  }
  if (source.kind == Place::kPageable) {
    operation.staged = std::make_shared<std::byte[]>(bytes);
    std::memcpy(operation.staged.get(), from, bytes);
  }
  return submit(stream, operation);
}

cudaError_t set(void* to, int value, std::size_t bytes, cudaStream_t handle) {
  const StreamPointer stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  const Place target = place_of(to, bytes);
  if (!usable(to, target) || target.kind == Place::kPageable) return cudaErrorInvalidValue;
  return submit(stream, [=] {
    if (!still_there(to, bytes, target)) return cudaErrorIllegalAddress;
    if (on_device(target)) open_memory(target.device);
    std::memset(to, value, bytes);
    return cudaSuccess;
  });
}

}  // namespace
}  // namespace emulated

using emulated::locked;

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return locked([&] {
    if (const cudaError_t error = emulated::refuse_while_capturing(); error != cudaSuccess) {
      return error;
    }
    return emulated::copy(to, from, bytes, kind, cudaStreamLegacy, false);
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return locked([&] { return emulated::copy(to, from, bytes, kind, stream, true); });
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return locked([&] { return emulated::set(to, value, bytes, stream); });
}
