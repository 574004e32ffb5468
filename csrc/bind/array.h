// array – other people's arrays as the bindings see them: NumPy's memory directly, any other library's
// through DLPack.
#pragma once

#include <mdbopt/tensor.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "location.h"

namespace mdbopt::bind {

// Which dtypes a call takes besides float64 and float32.
struct Accepted {
  bool half = false;               // float16 and bfloat16
  std::optional<Dtype> bits = {};  // what arrays of uint16 are read as; none: refused
  bool any_layout = false;         // on the CPU strides of any kind, and memory that is not aligned
  bool codes = false;              // arrays of uint8, which hold codes
};

// "bfloat16" or "float16"; throws Error for another name.
Dtype half_named(const std::string& name);

// Valid while `owner` lives.
struct Borrowed {
  Tensor tensor;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // in elements
  pybind11::object owner;

  bool row_major() const;
};

// The order of vectors.
inline const Borrowed kRowMajor{};

// Borrows a dense array on the CPU or, given `where`, on a CUDA device: then the tensor's location has
// that device, `where` is told of it, and what its library has queued for it comes before the work of
// the call. `what` names it in messages. Throws TypeError for an object that is no array, a dtype we
// do not have, or a foreign byte order; Error for strides that leave gaps, repeat or run backwards, for
// misaligned memory, and for another device; DeviceError when CUDA cannot be used.
Borrowed borrow(pybind11::handle object, const std::string& what, const Accepted& accepted = {},
                CallStream* where = nullptr);

// What an array that is only read has to come as.
struct Wanted {
  std::optional<Dtype> dtype = {};  // none: float64 or float32, as it is
  std::optional<std::size_t> size = {};
  std::string like = {};            // why, for messages: " (as 'x')"
  const Borrowed* order = nullptr;  // of memory; null: its own
};

// As borrow, but takes what borrow refuses although its numbers can be had exactly: lists, integers,
// narrower floats, foreign byte orders and objects, gaps, repeated and reversed elements. Those come as a
// copy. On a device it is borrow. An array whose numbers `dtype` cannot hold keeps its own dtype, one of
// another shape than `order` its own order: the caller says what that means.
Borrowed read(pybind11::handle object, const std::string& what, const Wanted& wanted,
              const Accepted& accepted = {}, CallStream* where = nullptr);

// A look at an array: its shape and strides are the owner's memory.
struct View {
  Tensor tensor;
  const std::int64_t* shape = nullptr;
  int rank = 0;
  const std::int64_t* strides = nullptr;  // in elements; null: row-major
};

View view_of(const Borrowed& array);

// Whether two arrays of one shape go through memory in the same order; strides of single elements do
// not count.
bool same_order(const View& a, const View& b);

// The usual cases without a detour: a NumPy array, or one whose type offers DLPack's C functions, of a
// dtype that is accepted, in row-major order; on a device as for borrow. False for anything else,
// which borrow then looks at. Valid while the caller keeps the object alive and leaves it as it is.
bool glance(pybind11::handle object, View& view, const Accepted& accepted = {},
            CallStream* where = nullptr);

// A shape as Python writes it.
std::string in_words(const std::int64_t* shape, int rank);

// The name of an object's type.
std::string type_name(pybind11::handle object);

// Throws the TypeError for a dtype that is not accepted.
[[noreturn]] void wrong_dtype(const std::string& what, const std::string& came,
                              const Accepted& accepted);

}  // namespace mdbopt::bind
