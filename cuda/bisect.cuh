// bisect – what a place of several arrays, numbered through, belongs to.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace mdbopt::cuda {

// The last of `count` items, at least one, that begins at or before a place; first_place(i) is where the i-th
// begins.
template <class FirstPlace>
__device__ inline std::uint32_t last_from(std::uint32_t count, std::size_t place,
                                          FirstPlace first_place) {
  std::uint32_t first = 0;
  for (std::uint32_t left = count; left > 1;) {
    const std::uint32_t half = left / 2;
    const bool later = first_place(first + half) <= place;
    first = later ? first + half : first;
    left = later ? left - half : half;
  }
  return first;
}
template <class Item>
__device__ inline const Item& last_from(const Item* items, std::uint32_t count, std::size_t place,
                                        std::size_t Item::* first_place) {
  return items[last_from(count, place, [=](std::uint32_t i) { return items[i].*first_place; })];
}

}  // namespace mdbopt::cuda
