// memory – device memory in stream order, from a pool of our own on each device.
//
// A pool of our own leaves that of others as it is. It keeps a little of what is given back, so that
// the working memory of small calls costs no trip to the driver, and returns the rest.
#pragma once

#include <mdbopt/tensor.h>

#include <cstddef>

namespace mdbopt::cuda {

void* allocate(const Location& location, std::size_t bytes);
void free(const Location& location, void* memory) noexcept;
// Bytes in use on a device.
std::size_t allocated(int device);

// From the host in pieces that CUDA takes into its own queue at once, without waiting for the stream.
void upload(const Location& location, void* to, const void* from, std::size_t bytes);

// Memory for the length of a scope.
class Scratch {
 public:
  Scratch(const Location& location, std::size_t bytes)
      : location_(location), memory_(bytes > 0 ? allocate(location, bytes) : nullptr) {}
  ~Scratch() { free(location_, memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  unsigned char* memory() const { return static_cast<unsigned char*>(memory_); }

 private:
  Location location_;
  void* memory_;
};

}  // namespace mdbopt::cuda
