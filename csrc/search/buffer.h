// buffer – an owned flat array of one dtype, aligned to cache lines.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "../tensor.h"

namespace mdbopt::search {

class Buffer {
 public:
  Buffer() = default;
  Buffer(std::size_t size, Dtype dtype) : size_(size), dtype_(dtype) {
    allocate();
    std::memset(data_, 0, bytes());
  }
  Buffer(const Buffer& other) : size_(other.size_), dtype_(other.dtype_) {
    allocate();
    if (bytes() > 0) std::memcpy(data_, other.data_, bytes());
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { std::free(block_); }
  void swap(Buffer& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(dtype_, other.dtype_);
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
  }

  void* data() const { return data_; }
  double* doubles() const { return static_cast<double*>(data_); }
  std::size_t size() const { return size_; }
  Dtype dtype() const { return dtype_; }
  std::size_t bytes() const { return size_ * info(dtype_).bytes; }
  Tensor tensor() const { return {data_, size_, dtype_, true}; }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  // Arrays that all start at the same offset of a page fall into the same cache sets, where a walk
  // over two dozen of them evicts its own prefetches: each array starts some lines further than the
  // one before.
  static constexpr std::size_t kStagger = 4096 + 5 * kLine;
  static constexpr std::size_t kColours = 64;

  // Chains walk many arrays side by side, a page of each at a time: large arrays ask for huge
  // pages, or looking pages up costs as much as the walk.
  void allocate() {
    if (bytes() < kHugePage) {
      block_ = std::aligned_alloc(kLine, (bytes() + kLine) / kLine * kLine);
      data_ = block_;
    } else {
      static std::atomic<std::size_t> colour{0};
      const std::size_t offset =
          colour.fetch_add(1, std::memory_order_relaxed) % kColours * kStagger;
      const std::size_t size = (bytes() + offset + kHugePage) / kHugePage * kHugePage;
      block_ = std::aligned_alloc(kHugePage, size);
      data_ = static_cast<char*>(block_) + offset;
#ifdef __linux__
      if (block_ != nullptr) madvise(block_, size, MADV_HUGEPAGE);
#endif
    }
    if (block_ == nullptr) throw std::bad_alloc();
  }

  std::size_t size_ = 0;
  Dtype dtype_ = Dtype::kFloat64;
  void* block_ = nullptr;
  void* data_ = nullptr;
};

inline Buffer filled(std::size_t size, double value) {
  Buffer buffer(size, Dtype::kFloat64);
  for (std::size_t i = 0; i < size; ++i) buffer.doubles()[i] = value;
  return buffer;
}

}  // namespace mdbopt::search
