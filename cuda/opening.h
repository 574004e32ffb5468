// opening – arrays in a format (csrc/engine/format.h) on a device: taken to float32 and back by kernels of
// their own, so that no rule is compiled for a format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../csrc/engine/format.h"

namespace mdbopt::cuda {

// So much of an array as is opened at once, from the beginning of a chunk.
struct StoredArray {
  void* stored;
  std::uint16_t* low;  // the second half of kRemainder
  float* opened;
  std::size_t size;
  std::size_t
      first_block;       // of kBlock elements, numbered through the arrays that are opened with it
  std::size_t chunk;     // its first one, numbered through all that is stepped
  std::size_t stream;    // of the rule
  std::uint32_t format;  // a Format
  std::uint32_t stochastic;
};
// Tables are compared as bytes.
static_assert(std::has_unique_object_representations_v<StoredArray>);

struct Opening {
  const StoredArray* arrays;
  std::uint32_t count;
  std::size_t blocks;            // of all
  std::uint32_t streams;         // a bit for each whose arrays are taken, others stay as they are
  const std::uint64_t* key;      // of the random bits, on the device; null where nothing is closed
  const std::uint32_t* refused;  // nothing is done where this is not 0; may be null
};

}  // namespace mdbopt::cuda
