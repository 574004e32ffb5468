// tensor – a view of a flat array: a pointer, a size, a dtype, a location; and a number that may lie on a
// device.
//
// Contract. A tensor owns nothing: its memory must outlive every call that it is given to. Elements lie one
// after the other, aligned to their size.
#pragma once

#include <mdbopt/dtype.h>

#include <cstddef>
#include <ranges>
#include <type_traits>

namespace mdbopt {

// Where memory lies and in which order work on it runs: on the CPU at once, on a device in the order
// of a stream (a cudaStream_t).
struct Location {
  int device = -1;  // −1: the CPU
  void* stream = nullptr;

  bool on_cpu() const { return device < 0; }
  bool same_memory(const Location& other) const { return device == other.device; }
};

struct Tensor {
  void* data = nullptr;
  std::size_t size = 0;
  Dtype dtype = Dtype::kFloat64;
  bool writable = true;
  Location location = {};
};

// A view of a vector, an array or a span of double or float on the CPU; read-only if its elements are const.
template <std::ranges::contiguous_range Range>
  requires std::ranges::borrowed_range<Range> && std::ranges::sized_range<Range>
Tensor tensor_of(Range&& range) {
  using Element = std::remove_reference_t<std::ranges::range_reference_t<Range>>;
  using Number = std::remove_const_t<Element>;
  static_assert(std::is_same_v<Number, double> || std::is_same_v<Number, float>,
                "expected double or float; a Tensor of another dtype is made with its pointer");
  return {const_cast<Number*>(std::ranges::data(range)), std::ranges::size(range),
          std::is_same_v<Number, double> ? Dtype::kFloat64 : Dtype::kFloat32,
          !std::is_const_v<Element>};
}

// A number of one step: known to the host, or read from the device when the step runs.
struct DeviceNumber {
  double value = 0.0;
  const void* data = nullptr;  // not null: on the device, of this dtype, in the place of `value`
  Dtype dtype = Dtype::kFloat64;
};

}  // namespace mdbopt
