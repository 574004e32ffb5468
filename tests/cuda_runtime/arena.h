// arena – each device's stretch of addresses, what is allocated there, and pinned memory.
#pragma once

#include <map>
#include <unordered_map>

#include "emulated.h"

namespace emulated {

// What fresh and freed memory holds: NaNs.
constexpr int kFresh = 0xff;
constexpr int kInvalidDevice = -2;

struct Pool {
  int device;
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
  std::uintptr_t last_pool = 0x3000;
  std::uint64_t last_allocation = 0;
};

Memory& memory();
// Null for what is no device's memory.
Arena* arena_of(const void* pointer);
int number_of(const Arena& arena);
// Memory with its guard, not filled yet; null where no gap is large enough.
std::byte* take(Arena& arena, std::size_t bytes, std::shared_ptr<Pool> pool);

}  // namespace emulated
