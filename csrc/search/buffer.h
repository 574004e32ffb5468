// buffer – an owned flat array of one dtype, aligned to cache lines.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "../tensor.h"

namespace mdbopt::search {

class Buffer {
 public:
  Buffer() = default;
  Buffer(std::size_t size, Dtype dtype) : size_(size), dtype_(dtype), data_(allocate(bytes())) {
    std::memset(data_.get(), 0, bytes());
  }
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;
  Buffer(const Buffer& other) : size_(other.size_), dtype_(other.dtype_), data_(allocate(bytes())) {
    std::memcpy(data_.get(), other.data_.get(), bytes());
  }
  Buffer& operator=(const Buffer& other) {
    Buffer copy(other);
    swap(copy);
    return *this;
  }
  void swap(Buffer& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(dtype_, other.dtype_);
    std::swap(data_, other.data_);
  }

  void* data() const { return data_.get(); }
  double* doubles() const { return static_cast<double*>(data()); }
  std::size_t size() const { return size_; }
  Dtype dtype() const { return dtype_; }
  std::size_t bytes() const { return size_ * info(dtype_).bytes; }
  Tensor tensor() const { return {data(), size_, dtype_, true}; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(void* data) const { ::operator delete(data, kAlignment); }
  };
  static std::unique_ptr<void, Free> allocate(std::size_t bytes) {
    return std::unique_ptr<void, Free>(::operator new(bytes > 0 ? bytes : 1, kAlignment));
  }

  std::size_t size_ = 0;
  Dtype dtype_ = Dtype::kFloat64;
  std::unique_ptr<void, Free> data_;
};

inline Buffer filled(std::size_t size, double value) {
  Buffer buffer(size, Dtype::kFloat64);
  for (std::size_t i = 0; i < size; ++i) buffer.doubles()[i] = value;
  return buffer;
}

}  // namespace mdbopt::search
