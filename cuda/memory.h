// memory – device memory in stream order, from a pool of our own on each device.
//
// A pool of our own leaves that of others as it is. It keeps a little of what is given back, so that
// the working memory of small calls costs no trip to the driver, and returns the rest.
#pragma once

#include <cstddef>

#include "../csrc/tensor.h"

namespace mdbopt::cuda {

void* allocate(const Place& place, std::size_t bytes);
void free(const Place& place, void* memory) noexcept;
// Bytes in use on a device.
std::size_t allocated(int device);

// From the host in pieces that CUDA takes into its own queue at once, without waiting for the stream.
void upload(const Place& place, void* to, const void* from, std::size_t bytes);

// Memory for the length of a scope.
class Scratch {
 public:
  Scratch(const Place& place, std::size_t bytes)
      : place_(place), memory_(bytes > 0 ? allocate(place, bytes) : nullptr) {}
  ~Scratch() { free(place_, memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  unsigned char* memory() const { return static_cast<unsigned char*>(memory_); }

 private:
  Place place_;
  void* memory_;
};

}  // namespace mdbopt::cuda
