// layout – arrays that a walk cannot take where they lie: with gaps, in another order of memory than
// the others of their job, not aligned, of a narrower dtype, or in a format of storage. They are walked
// through a block of a chunk or half of one, loaded before and stored after.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>
#include <cstdint>

#include "format.h"

namespace mdbopt {

// An array in the order in which its job is walked. The rule never sees it.
struct Layout {
  void* data = nullptr;  // of the first element; null: the array is walked where it lies
  Dtype dtype = Dtype::kFloat64;
  int rank = 0;  // axes that go through memory in one stride are one
  const std::int64_t* shape = nullptr;
  const std::int64_t* strides = nullptr;  // in bytes
  // Of what is walked as float32. Codes have no strides, and the order of the walk is theirs.
  Format format = Format::kPlain;
  bool stochastic = false;  // how what the format cannot hold is rounded
  void* low = nullptr;      // the dense second half of kRemainder
  // Set to 1, by any thread, where a step makes a unit of codes NaN; may be null.
  std::uint32_t* not_finite = nullptr;

  // Whether its elements lie one after the other in the order of the walk.
  bool dense() const {
    const auto width = static_cast<std::int64_t>(info(dtype).bytes);
    const auto place = reinterpret_cast<std::uintptr_t>(data);
    return (rank == 0 || (rank == 1 && strides[0] == width)) &&
           place % static_cast<std::uintptr_t>(width) == 0;
  }
};

// Whether all numbers of the first dtype are numbers of the second.
constexpr bool widens(Dtype from, Dtype to) {
  return from == to || to == Dtype::kFloat64 || (to == Dtype::kFloat32 && is_half(from));
}

// Elements [begin, begin + count), in the order of the walk, to a block of a dtype that they widen to.
void load(const Layout& layout, std::size_t begin, std::size_t count, Dtype dtype, void* block);
// And back from a block of the layout's own dtype.
void store(const Layout& layout, std::size_t begin, std::size_t count, const void* block);

}  // namespace mdbopt
