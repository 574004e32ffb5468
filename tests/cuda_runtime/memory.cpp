// memory – each device's memory is a stretch of addresses that faults unless the device is at work.
//
// An allocation is followed by a guard. To AddressSanitizer guards and freed memory are poison, so
// that it names a kernel's accesses beyond an allocation, reads too.
#include "arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace emulated {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kGuardBytes = 256;
// Large pages, where there are any, make it cheap to open and close the memory.
constexpr std::size_t kLargePage = 2 << 20;
constexpr std::size_t kCheckedAllocations = 1000;
constexpr std::uint8_t kGuard = 0xc7;

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

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

void protect(Arena& arena, bool open) {
  const std::size_t bytes = rounded_up(arena.touched, kLargePage);
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

template <class Map>
auto containing(Map& map, const void* pointer) {
  auto next = map.upper_bound(static_cast<std::byte*>(const_cast<void*>(pointer)));
  return next == map.begin() ? map.end() : std::prev(next);
}

void fill_fresh(std::byte* start, const Allocation& allocation) {
  unpoison(start, allocation.block);
  std::memset(start, kFresh, allocation.bytes);
}

void write_guard(std::byte* start, const Allocation& allocation) {
  unpoison(start, allocation.block);
  std::memset(start + allocation.bytes, kGuard, allocation.block - allocation.bytes);
  poison(start + allocation.bytes, allocation.block - allocation.bytes);
}

// Asked of every allocation after each kernel, so by words.
__attribute__((no_sanitize_address)) std::size_t first_overwritten(const std::byte* start,
                                                                   const Allocation& allocation) {
  constexpr std::uint64_t kGuards = kGuard * (~std::uint64_t{0} / 0xff);
  std::size_t k = allocation.bytes;
  for (std::uint64_t word; k + sizeof word <= allocation.block; k += sizeof word) {
    std::memcpy(&word, start + k, sizeof word);
    if (word != kGuards) break;
  }
  while (k < allocation.block && start[k] == std::byte{kGuard}) ++k;
  return k;
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

// --- arena.h -------------------------------------------------------------------------------------
Memory& memory() {
  static Memory& instance = *[] {
    Memory* made = new Memory;
    const std::size_t bytes = rounded_up(device_bytes(), kAlignment);
    const std::size_t mapped = rounded_up(bytes, kLargePage);
    for (int device = 0; device < device_count(); ++device) {
      void* base = mmap(nullptr, mapped + kLargePage, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (base == MAP_FAILED) die("there are no %zu bytes of addresses for a device", mapped);
      const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(base);
      Arena& arena = made->arenas.emplace_back();
      arena.base = static_cast<std::byte*>(base) + (rounded_up(address, kLargePage) - address);
      arena.bytes = bytes;
      arena.spare[arena.base] = bytes;
      madvise(arena.base, mapped, MADV_HUGEPAGE);
    }
    return made;
  }();
  return instance;
}

Arena* arena_of(const void* pointer) {
  for (Arena& arena : memory().arenas) {
    if (pointer >= arena.base && pointer < arena.base + arena.bytes) return &arena;
  }
  return nullptr;
}

int number_of(const Arena& arena) { return static_cast<int>(&arena - memory().arenas.data()); }

std::byte* take(Arena& arena, std::size_t bytes, std::shared_ptr<Pool> pool) {
  if (bytes > arena.bytes) return nullptr;
  const std::size_t block = rounded_up(bytes + kGuardBytes, kAlignment);
  const auto gap = std::find_if(arena.spare.begin(), arena.spare.end(),
                                [&](const auto& entry) { return entry.second >= block; });
  if (gap == arena.spare.end()) return nullptr;
  const auto [start, size] = *gap;
  arena.spare.erase(gap);
  if (size > block) arena.spare[start + block] = size - block;
  const std::size_t end = static_cast<std::size_t>(start - arena.base) + block;
  arena.touched = std::max(arena.touched, end);
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

// --- emulated.h ----------------------------------------------------------------------------------
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
