// layout – arrays that a walk cannot take where they lie: with gaps, in another order of memory than
// the others of their job, not aligned, or of a narrower dtype. They are walked through a block of
// one chunk, loaded before and stored after.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>
#include <cstdint>

namespace mdbopt {

// An array in the order in which its job is walked. The rule never sees it.
struct Layout {
  void* data = nullptr;  // of the first element; null: the array is walked where it lies
  Dtype dtype = Dtype::kFloat64;
  int rank = 0;  // axes that go through memory in one stride are one
  const std::int64_t* shape = nullptr;
  const std::int64_t* strides = nullptr;  // in bytes
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
