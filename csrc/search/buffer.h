// buffer – an owned flat array of one dtype.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>
#include <utility>

#include "memory.h"

namespace mdbopt::search {

class Buffer {
 public:
  Buffer() = default;
  // Holds zeros.
  Buffer(std::size_t size, Dtype dtype, Where where = {})
      : size_(size), dtype_(dtype), memory_(bytes_of(size, dtype), std::move(where)) {}
  void swap(Buffer& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(dtype_, other.dtype_);
    memory_.swap(other.memory_);
  }

  void* data() const { return memory_.data(); }
  double* doubles() const { return static_cast<double*>(data()); }
  std::size_t size() const { return size_; }
  Dtype dtype() const { return dtype_; }
  std::size_t bytes() const { return memory_.bytes(); }
  Location location() const { return memory_.location(); }
  Tensor tensor() const { return {data(), size_, dtype_, true, location()}; }

  void clear() { memory_.clear(); }
  // As Memory's.
  void write(const void* from) { memory_.write(from); }
  void read(void* to) const { memory_.read(to); }

 private:
  // Never fewer than there are.
  static std::size_t bytes_of(std::size_t size, Dtype dtype) {
    const std::size_t most = std::numeric_limits<std::size_t>::max() / info(dtype).bytes;
    if (size > most) throw std::bad_alloc();
    return size * info(dtype).bytes;
  }

  std::size_t size_ = 0;
  Dtype dtype_ = Dtype::kFloat64;
  Memory memory_;
};

// A small table of the host.
inline Buffer filled(std::size_t size, double value) {
  Buffer buffer(size, Dtype::kFloat64);
  for (std::size_t i = 0; i < size; ++i) buffer.doubles()[i] = value;
  return buffer;
}

// The same with more elements.
inline Buffer grown(const Buffer& table, std::size_t size, double value) {
  Buffer larger = filled(size, value);
  std::copy_n(table.doubles(), table.size(), larger.doubles());
  return larger;
}

}  // namespace mdbopt::search
