// memory – an owned block of bytes, on the CPU or on a device.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>
#include <memory>

namespace mdbopt::search {

// Where the arrays of a search live and on which stream. They share it, so that all of them follow
// the search from stream to stream, and are freed on the last. Null: the CPU.
using Where = std::shared_ptr<const Location>;

class Memory {
 public:
  Memory() = default;
  // Holds zeros.
  Memory(std::size_t bytes, Where where);
  Memory(const Memory& other);
  Memory(Memory&& other) noexcept { swap(other); }
  // Two of them: one that took its argument by value would promise that no copy can fail, and so
  // would all that hold one.
  Memory& operator=(const Memory& other) {
    Memory copy(other);
    swap(copy);
    return *this;
  }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Memory();
  void swap(Memory& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    where_.swap(other.where_);
  }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Location location() const { return where_ ? *where_ : Location{}; }

  void clear();
  // Takes as many bytes from memory of its own device or of the host, gives them to memory of the
  // host. What read has written is there once the stream has been waited for.
  void write(const void* from);
  void read(void* to) const;

 private:
  void allocate();

  std::size_t bytes_ = 0;
  void* block_ = nullptr;
  void* data_ = nullptr;
  Where where_;
};

}  // namespace mdbopt::search
