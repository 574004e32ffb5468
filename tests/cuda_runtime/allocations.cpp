// allocations – the calls that allocate and free memory, at once or in a stream's order.
#include <cstdlib>
#include <cstring>

#include "arena.h"

namespace emulated {
namespace {

// The pointer of a null pool is filled at once, the other when its stream comes to it.
cudaError_t allocate(void** pointer, std::size_t bytes, int device, std::shared_ptr<Pool> pool) {
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (allocation_fails()) return cudaErrorMemoryAllocation;
  Arena& arena = memory().arenas[static_cast<std::size_t>(device)];
  std::byte* start = take(arena, bytes, pool);
  if (start == nullptr) {
    // What was given back may not have been freed yet.
    if (const cudaError_t error = wait_for_device(device); error != cudaSuccess) return error;
    start = take(arena, bytes, std::move(pool));
  }
  if (start == nullptr) return cudaErrorMemoryAllocation;
  *pointer = start;
  return cudaSuccess;
}

cudaError_t allocate_in_order(void** pointer, std::size_t bytes, std::shared_ptr<Pool> pool,
                              const StreamPointer& stream) {
  if (capturing(*stream)) return refuse_in_capture(*stream);
  if (const cudaError_t error = allocate(pointer, bytes, device_of(*stream), std::move(pool));
      error != cudaSuccess || *pointer == nullptr) {
    return error;
  }
  std::byte* start = static_cast<std::byte*>(*pointer);
  const std::uint64_t number = arena_of(start)->live.at(start).number;
  return submit(stream, [start, number] {
    Arena& arena = *arena_of(start);
    const auto found = arena.live.find(start);
    // cudaFree does not wait for it.
    if (found == arena.live.end() || found->second.number != number) return cudaSuccess;
    open_memory(number_of(arena));
    std::memset(start, kFresh, found->second.bytes);
    return cudaSuccess;
  });
}

std::shared_ptr<Pool> pool_of(cudaMemPool_t handle) {
  const auto found = memory().pools.find(reinterpret_cast<std::uintptr_t>(handle));
  return found == memory().pools.end() ? nullptr : found->second;
}

// Null for what is not an allocation's start, or was freed before.
Allocation* freeable(void* pointer, Arena*& arena) {
  arena = arena_of(pointer);
  if (arena == nullptr) return nullptr;
  const auto found = arena->live.find(static_cast<std::byte*>(pointer));
  if (found == arena->live.end() || found->second.given_back) return nullptr;
  return &found->second;
}

}  // namespace
}  // namespace emulated

using emulated::locked;
using emulated::memory;

// --- device memory -------------------------------------------------------------------------------
cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return locked([&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    if (const cudaError_t error = emulated::refuse_while_capturing(); error != cudaSuccess) {
      return error;
    }
    const int device = emulated::current_device();
    const cudaError_t error = emulated::allocate(pointer, bytes, device, nullptr);
    if (error == cudaSuccess && *pointer != nullptr) {
      emulated::open_memory(device);
      std::memset(*pointer, emulated::kFresh, bytes);
      emulated::close_memory();
    }
    return error;
  });
}

cudaError_t cudaFree(void* pointer) {
  return locked([&] {
    if (const cudaError_t error = emulated::refuse_while_capturing(); error != cudaSuccess) {
      return error;
    }
    if (pointer == nullptr) return cudaSuccess;
    emulated::Arena* arena = nullptr;
    emulated::Allocation* allocation = emulated::freeable(pointer, arena);
    if (allocation == nullptr) return cudaErrorInvalidValue;
    // Of stream-ordered memory CUDA takes it that nothing uses it any more.
    if (allocation->pool == nullptr) {
      ++emulated::counters().synchronizations;
      const cudaError_t error = emulated::wait_for_device(emulated::number_of(*arena));
      if (error != cudaSuccess) return error;
    }
    allocation->given_back = true;
    emulated::release(pointer);
    emulated::close_memory();
    return cudaSuccess;
  });
}

cudaError_t cudaMallocFromPoolAsync(void** pointer, std::size_t bytes, cudaMemPool_t pool_handle,
                                    cudaStream_t handle) {
  return locked([&] {
    const std::shared_ptr<emulated::Pool> pool = emulated::pool_of(pool_handle);
    if (pointer == nullptr || pool == nullptr) return cudaErrorInvalidValue;
    const emulated::StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (emulated::device_of(*stream) != pool->device) return cudaErrorInvalidValue;
    return emulated::allocate_in_order(pointer, bytes, pool, stream);
  });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t handle) {
  return locked([&] {
    const emulated::StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (emulated::capturing(*stream)) return emulated::refuse_in_capture(*stream);
    if (pointer == nullptr) return cudaSuccess;
    emulated::Arena* arena = nullptr;
    emulated::Allocation* allocation = emulated::freeable(pointer, arena);
    if (allocation == nullptr || allocation->pool == nullptr) return cudaErrorInvalidValue;
    allocation->given_back = true;
    return emulated::submit(
        stream,
        [pointer] {
          emulated::release(pointer);
          return cudaSuccess;
        },
        [pointer] { emulated::release(pointer); });
  });
}

// --- pools ---------------------------------------------------------------------------------------
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  return locked([&] {
    if (pool == nullptr || properties == nullptr ||
        properties->allocType != cudaMemAllocationTypePinned ||
        properties->location.type != cudaMemLocationTypeDevice) {
      return cudaErrorInvalidValue;
    }
    const int device = properties->location.id;
    if (device < 0 || device >= emulated::device_count()) return cudaErrorInvalidDevice;
    emulated::Memory& m = memory();
    m.last_pool += 0x10;
    m.pools[m.last_pool] = std::make_shared<emulated::Pool>(emulated::Pool{device});
    *pool = reinterpret_cast<cudaMemPool_t>(m.last_pool);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return locked([&] {
    const std::shared_ptr<emulated::Pool> pool = emulated::pool_of(handle);
    if (pool == nullptr || value == nullptr) return cudaErrorInvalidValue;
    return attribute == cudaMemPoolAttrReleaseThreshold ? cudaSuccess : cudaErrorNotSupported;
  });
}

// --- pinned memory -------------------------------------------------------------------------------
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return locked([&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    if (const cudaError_t error = emulated::refuse_while_capturing(); error != cudaSuccess) {
      return error;
    }
    *pointer = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (emulated::allocation_fails()) return cudaErrorMemoryAllocation;
    if (posix_memalign(pointer, 4096, bytes) != 0) return cudaErrorMemoryAllocation;
    std::memset(*pointer, emulated::kFresh, bytes);
    memory().pinned[static_cast<std::byte*>(*pointer)] = {bytes, emulated::current_device()};
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* pointer) {
  return locked([&] {
    if (const cudaError_t error = emulated::refuse_while_capturing(); error != cudaSuccess) {
      return error;
    }
    if (pointer == nullptr) return cudaSuccess;
    const auto found = memory().pinned.find(static_cast<std::byte*>(pointer));
    if (found == memory().pinned.end()) return cudaErrorInvalidValue;
    ++emulated::counters().synchronizations;
    if (const cudaError_t error = emulated::wait_for_all(); error != cudaSuccess) return error;
    memory().pinned.erase(found);
    std::free(pointer);
    return cudaSuccess;
  });
}
