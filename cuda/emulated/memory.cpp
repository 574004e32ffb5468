// memory – each device's memory is a stretch of addresses that faults unless the device is at work.
//
// An allocation is followed by a guard. Under AddressSanitizer guards and freed memory are poisoned,
// so that it names a kernel's accesses beyond an allocation, reads too.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <unordered_map>

#include "emulated.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace emulated {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kGuardBytes = 256;
constexpr std::size_t kCheckedAllocations = 1000;
constexpr std::uint8_t kGuard = 0xc7;
constexpr int kFresh = 0xff;
constexpr int kInvalidDevice = -2;

void poison([[maybe_unused]] const std::byte* from, [[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  ASAN_POISON_MEMORY_REGION(from, bytes);
#endif
}
void unpoison([[maybe_unused]] const std::byte* from, [[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(from, bytes);
#endif
}

struct Pool {
  int device;
  std::uint64_t threshold = 0, used = 0, high = 0;
};

struct Allocation {
  std::size_t bytes;
  std::size_t block;  // with its guard
  std::shared_ptr<Pool> pool;
  std::uint64_t number;
  bool given_back = false;
};

struct Arena {
  std::byte* base = nullptr;
  std::size_t bytes = 0;
  std::size_t touched = 0;  // nothing beyond was ever allocated
  bool open = false;
  std::map<std::byte*, Allocation> live;
  std::map<std::byte*, std::size_t> spare;
};

struct Pinned {
  std::size_t bytes;
  int device;
};

struct Memory {
  std::vector<Arena> arenas;
  std::map<std::byte*, Pinned> pinned;
  std::unordered_map<std::uintptr_t, std::shared_ptr<Pool>> pools;
  std::vector<std::uintptr_t> default_pools;
  std::uintptr_t last_pool = 0x3000;
  std::uint64_t last_allocation = 0;
};

std::uintptr_t add_pool(Memory& memory, int device) {
  memory.last_pool += 0x10;
  memory.pools[memory.last_pool] = std::make_shared<Pool>(Pool{.device = device});
  return memory.last_pool;
}

Memory& memory() {
  static Memory& instance = *[] {
    Memory* made = new Memory;
    const std::size_t bytes = (device_bytes() + kAlignment - 1) / kAlignment * kAlignment;
    for (int device = 0; device < device_count(); ++device) {
      void* base =
          mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (base == MAP_FAILED) die("there are no %zu bytes of addresses for a device", bytes);
      Arena& arena = made->arenas.emplace_back();
      arena.base = static_cast<std::byte*>(base);
      arena.bytes = bytes;
      arena.spare[arena.base] = bytes;
      made->default_pools.push_back(add_pool(*made, device));
    }
    return made;
  }();
  return instance;
}

void protect(Arena& arena, bool open) {
  static const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (arena.touched + page - 1) / page * page;
  if (bytes > 0 && mprotect(arena.base, bytes, open ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) {
    die("a device's memory could not be %s", open ? "opened" : "closed");
  }
  arena.open = open;
}

void open_only(std::uint64_t devices) {
  std::vector<Arena>& arenas = memory().arenas;
  for (std::size_t k = 0; k < arenas.size(); ++k) {
    const bool open = (devices >> k & 1) != 0;
    if (arenas[k].open != open) protect(arenas[k], open);
  }
}

Arena* arena_of(const void* pointer) {
  for (Arena& arena : memory().arenas) {
    if (pointer >= arena.base && pointer < arena.base + arena.bytes) return &arena;
  }
  return nullptr;
}

int number_of(const Arena& arena) { return static_cast<int>(&arena - memory().arenas.data()); }

template <class Map>
auto containing(Map& map, const void* pointer) {
  auto next = map.upper_bound(static_cast<std::byte*>(const_cast<void*>(pointer)));
  return next == map.begin() ? map.end() : std::prev(next);
}

// Of the caller's bytes; then the guard is written.
void fill_fresh(std::byte* start, const Allocation& allocation) {
  unpoison(start, allocation.block);
  std::memset(start, kFresh, allocation.bytes);
}

void write_guard(std::byte* start, const Allocation& allocation) {
  unpoison(start, allocation.block);
  std::memset(start + allocation.bytes, kGuard, allocation.block - allocation.bytes);
  poison(start + allocation.bytes, allocation.block - allocation.bytes);
}

__attribute__((no_sanitize_address)) std::size_t first_overwritten(const std::byte* start,
                                                                   const Allocation& allocation) {
  std::size_t k = allocation.bytes;
  while (k < allocation.block && start[k] == std::byte{kGuard}) ++k;
  return k;
}

// Null where no gap is large enough.
std::byte* take(Arena& arena, std::size_t bytes, std::shared_ptr<Pool> pool) {
  if (bytes > arena.bytes) return nullptr;
  const std::size_t block = (bytes + kGuardBytes + kAlignment - 1) / kAlignment * kAlignment;
  const auto gap = std::find_if(arena.spare.begin(), arena.spare.end(),
                                [&](const auto& entry) { return entry.second >= block; });
  if (gap == arena.spare.end()) return nullptr;
  const auto [start, size] = *gap;
  arena.spare.erase(gap);
  if (size > block) arena.spare[start + block] = size - block;
  const std::size_t end = static_cast<std::size_t>(start - arena.base) + block;
  arena.touched = std::max(arena.touched, end);
  if (pool != nullptr) {
    pool->used += bytes;
    pool->high = std::max(pool->high, pool->used);
  }
  const Allocation& allocation = arena.live[start] =
      Allocation{.bytes = bytes,
                 .block = block,
                 .pool = std::move(pool),
                 .number = ++memory().last_allocation};
  protect(arena, true);
  write_guard(start, allocation);
  close_memory();
  return start;
}

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

cudaError_t allocate_pinned(void** pointer, std::size_t bytes) {
  if (pointer == nullptr) return cudaErrorInvalidValue;
  if (const cudaError_t error = refuse_while_capturing(); error != cudaSuccess) return error;
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (allocation_fails()) return cudaErrorMemoryAllocation;
  if (posix_memalign(pointer, 4096, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*pointer, kFresh, bytes);
  memory().pinned[static_cast<std::byte*>(*pointer)] = {bytes, current_device()};
  return cudaSuccess;
}

std::shared_ptr<Pool> pool_of(cudaMemPool_t handle) {
  const auto found = memory().pools.find(reinterpret_cast<std::uintptr_t>(handle));
  return found == memory().pools.end() ? nullptr : found->second;
}

std::shared_ptr<Pool> default_pool(int device) {
  Memory& m = memory();
  return m.pools.at(m.default_pools[static_cast<std::size_t>(device)]);
}

// Null for what is not an allocation's start, or was freed before.
Allocation* freeable(void* pointer, Arena*& arena) {
  arena = arena_of(pointer);
  if (arena == nullptr) return nullptr;
  const auto found = arena->live.find(static_cast<std::byte*>(pointer));
  if (found == arena->live.end() || found->second.given_back) return nullptr;
  return &found->second;
}

void give_back(Allocation& allocation) {
  allocation.given_back = true;
  if (allocation.pool != nullptr) allocation.pool->used -= allocation.bytes;
}

template <class Visit>
void for_each_live(Visit visit) {
  if (device_count() == 0) return;
  for (const Arena& arena : memory().arenas) {
    for (const auto& [start, allocation] : arena.live) {
      if (!allocation.given_back) visit(allocation);
    }
  }
}

}  // namespace

// --- shared ---------------------------------------------------------------------------------------
Place place_of(const void* pointer, std::size_t bytes) {
  const auto whole = [&](const auto& entry) {
    const std::size_t offset =
        static_cast<std::size_t>(static_cast<const std::byte*>(pointer) - entry.first);
    return offset <= entry.second.bytes && bytes <= entry.second.bytes - offset;
  };
  if (Arena* arena = arena_of(pointer)) {
    const int device = number_of(*arena);
    const auto found = containing(arena->live, pointer);
    if (found == arena->live.end()) return {Place::kDevice, device, false, false};
    return {Place::kDevice, device, whole(*found), found->second.given_back};
  }
  std::map<std::byte*, Pinned>& pinned = memory().pinned;
  if (const auto found = containing(pinned, pointer);
      found != pinned.end() && pointer < found->first + found->second.bytes) {
    return {Place::kPinned, found->second.device, whole(*found), false};
  }
  return {Place::kPageable, kInvalidDevice, true, false};
}

void open_memory(int device) { open_only(std::uint64_t{1} << device); }

void open_memory(int device, int other) {
  open_only(std::uint64_t{1} << device | std::uint64_t{1} << other);
}

void close_memory() { open_only(0); }

void release(void* pointer) {
  Arena& arena = *arena_of(pointer);
  std::byte* start = static_cast<std::byte*>(pointer);
  const auto found = arena.live.find(start);
  open_memory(number_of(arena));
  fill_fresh(start, found->second);
  std::size_t block = found->second.block;
  poison(start, block);
  arena.live.erase(found);
  auto next = arena.spare.upper_bound(start);
  if (next != arena.spare.end() && start + block == next->first) {
    block += next->second;
    next = arena.spare.erase(next);
  }
  if (next != arena.spare.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == start) {
      before->second += block;
      return;
    }
  }
  arena.spare[start] = block;
}

bool guards_are_whole(int device) {
  Arena& arena = memory().arenas[static_cast<std::size_t>(device)];
  if (arena.live.size() > kCheckedAllocations) return true;
  bool whole = true;
  for (const auto& [start, allocation] : arena.live) {
    const std::size_t k = first_overwritten(start, allocation);
    if (k == allocation.block) continue;
    std::fprintf(stderr,
                 "emulated CUDA: a kernel wrote to byte %zu of the allocation of %zu bytes at %p, "
                 "device %d\n",
                 k, allocation.bytes, static_cast<const void*>(start), device);
    write_guard(start, allocation);
    whole = false;
  }
  return whole;
}

std::uint64_t live_allocations() {
  std::uint64_t count = 0;
  for_each_live([&](const Allocation&) { ++count; });
  return count;
}

std::uint64_t live_bytes() {
  std::uint64_t bytes = 0;
  for_each_live([&](const Allocation& allocation) { bytes += allocation.bytes; });
  return bytes;
}

std::uint64_t live_host_allocations() { return device_count() == 0 ? 0 : memory().pinned.size(); }

}  // namespace emulated

using emulated::locked;
using emulated::memory;

// --- device memory --------------------------------------------------------------------------------
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
    emulated::give_back(*allocation);
    emulated::release(pointer);
    emulated::close_memory();
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** pointer, std::size_t bytes, cudaStream_t handle) {
  return locked([&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    const emulated::StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    return emulated::allocate_in_order(
        pointer, bytes, emulated::default_pool(emulated::device_of(*stream)), stream);
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
    emulated::give_back(*allocation);
    return emulated::submit(
        stream,
        [pointer] {
          emulated::release(pointer);
          return cudaSuccess;
        },
        [pointer] { emulated::release(pointer); });
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return locked([&] {
    if (free == nullptr || total == nullptr) return cudaErrorInvalidValue;
    const std::size_t device = static_cast<std::size_t>(emulated::current_device());
    const emulated::Arena& arena = memory().arenas[device];
    *total = arena.bytes;
    *free = 0;
    for (const auto& [start, bytes] : arena.spare) *free += bytes;
    return cudaSuccess;
  });
}

// --- pools ----------------------------------------------------------------------------------------
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  return locked([&] {
    if (pool == nullptr || properties == nullptr ||
        properties->allocType != cudaMemAllocationTypePinned ||
        properties->location.type != cudaMemLocationTypeDevice) {
      return cudaErrorInvalidValue;
    }
    const int device = properties->location.id;
    if (device < 0 || device >= emulated::device_count()) return cudaErrorInvalidDevice;
    *pool = reinterpret_cast<cudaMemPool_t>(emulated::add_pool(memory(), device));
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  return locked([&] {
    const std::uintptr_t key = reinterpret_cast<std::uintptr_t>(pool);
    const std::vector<std::uintptr_t>& kept = memory().default_pools;
    if (std::find(kept.begin(), kept.end(), key) != kept.end()) return cudaErrorInvalidValue;
    return memory().pools.erase(key) == 0 ? cudaErrorInvalidValue : cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return locked([&] {
    const std::shared_ptr<emulated::Pool> pool = emulated::pool_of(handle);
    if (pool == nullptr || value == nullptr) return cudaErrorInvalidValue;
    if (attribute != cudaMemPoolAttrReleaseThreshold) return cudaErrorNotSupported;
    pool->threshold = *static_cast<const std::uint64_t*>(value);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return locked([&] {
    const std::shared_ptr<emulated::Pool> pool = emulated::pool_of(handle);
    if (pool == nullptr || value == nullptr) return cudaErrorInvalidValue;
    std::uint64_t& got = *static_cast<std::uint64_t*>(value);
    switch (attribute) {
      case cudaMemPoolAttrReleaseThreshold:
        got = pool->threshold;
        return cudaSuccess;
      case cudaMemPoolAttrReservedMemCurrent:
      case cudaMemPoolAttrUsedMemCurrent:
        got = pool->used;
        return cudaSuccess;
      case cudaMemPoolAttrReservedMemHigh:
      case cudaMemPoolAttrUsedMemHigh:
        got = pool->high;
        return cudaSuccess;
    }
    return cudaErrorInvalidValue;
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t handle, std::size_t) {
  return locked(
      [&] { return emulated::pool_of(handle) == nullptr ? cudaErrorInvalidValue : cudaSuccess; });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  return locked([&] {
    if (pool == nullptr) return cudaErrorInvalidValue;
    if (device < 0 || device >= emulated::device_count()) return cudaErrorInvalidDevice;
    *pool =
        reinterpret_cast<cudaMemPool_t>(memory().default_pools[static_cast<std::size_t>(device)]);
    return cudaSuccess;
  });
}

// --- pinned memory --------------------------------------------------------------------------------
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return locked([&] { return emulated::allocate_pinned(pointer, bytes); });
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return locked([&] { return emulated::allocate_pinned(pointer, bytes); });
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

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return locked([&] {
    if (attributes == nullptr) return cudaErrorInvalidValue;
    const emulated::Place place = emulated::place_of(pointer, 1);
    void* const address = const_cast<void*>(pointer);
    *attributes = {cudaMemoryTypeUnregistered, emulated::kInvalidDevice, nullptr, address};
    if (place.kind == emulated::Place::kPinned) {
      *attributes = {cudaMemoryTypeHost, place.device, address, address};
    } else if (place.kind == emulated::Place::kDevice && place.whole && !place.given_back) {
      *attributes = {cudaMemoryTypeDevice, place.device, address, nullptr};
    }
    return cudaSuccess;
  });
}
