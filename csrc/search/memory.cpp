// memory – where blocks come from: the host's, aligned to cache lines, or the device library's.
#include "memory.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "../runtime/device.h"

namespace mdbopt::search {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Arrays that all start at the same offset of a page fall into the same cache sets, where a walk
// over two dozen of them evicts its own prefetches: each array starts some lines further than the
// one before.
constexpr std::size_t kStagger = 4096 + 5 * kLine;
constexpr std::size_t kColours = 64;
// Beside which what is added to a size does not overflow.
constexpr std::size_t kMostBytes = std::numeric_limits<std::ptrdiff_t>::max() / 2;

struct Block {
  void* start;
  void* data;
};

// Passes walk many arrays side by side, a page of each at a time: large arrays ask for huge pages,
// or looking pages up costs as much as the walk.
Block host_block(std::size_t bytes) {
  Block block{nullptr, nullptr};
  if (bytes > kMostBytes) throw std::bad_alloc();
  if (bytes < kHugePage) {
    block.start = std::aligned_alloc(kLine, (bytes + kLine) / kLine * kLine);
    block.data = block.start;
  } else {
    static std::atomic<std::size_t> colour{0};
    const std::size_t offset = colour.fetch_add(1, std::memory_order_relaxed) % kColours * kStagger;
    const std::size_t size = (bytes + offset + kHugePage) / kHugePage * kHugePage;
    block.start = std::aligned_alloc(kHugePage, size);
    block.data = static_cast<char*>(block.start) + offset;
#ifdef __linux__
    if (block.start != nullptr) madvise(block.start, size, MADV_HUGEPAGE);
#endif
  }
  if (block.start == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

Memory::Memory(std::size_t bytes, Where where) : Memory() {
  bytes_ = bytes;
  where_ = std::move(where);
  allocate();
  clear();
}

Memory::Memory(const Memory& other) : Memory() {
  bytes_ = other.bytes_;
  where_ = other.where_;
  allocate();
  write(other.data_);
}

Memory::~Memory() {
  if (block_ == nullptr) return;
  if (location().on_cpu())
    std::free(block_);
  else
    device_library().free(location(), block_);
}

void Memory::allocate() {
  if (location().on_cpu()) {
    const Block block = host_block(bytes_);
    block_ = block.start;
    data_ = block.data;
  } else if (bytes_ > 0) {
    block_ = data_ = device_library().allocate(location(), bytes_);
  }
}

void Memory::clear() {
  if (bytes_ == 0) return;
  if (location().on_cpu())
    std::memset(data_, 0, bytes_);
  else
    device_library().clear(location(), data_, bytes_);
}

void Memory::write(const void* from) {
  if (bytes_ == 0) return;
  if (location().on_cpu())
    std::memcpy(data_, from, bytes_);
  else
    device_library().copy(location(), data_, from, bytes_);
}

void Memory::read(void* to) const {
  if (bytes_ == 0) return;
  if (location().on_cpu())
    std::memcpy(to, data_, bytes_);
  else
    device_library().copy(location(), to, data_, bytes_);
}

}  // namespace mdbopt::search
