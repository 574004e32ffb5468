// dlpack – borrows the memory of other people's arrays: NumPy's directly, any other library's
// through DLPack.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor.h"

namespace mdbopt::bind {

// Which dtypes a call takes besides float64 and float32.
struct Accepted {
  bool half = false;               // float16 and bfloat16
  std::optional<Dtype> bits = {};  // what arrays of uint16 are read as; none: refused
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

// Borrows a dense array on the CPU. `what` names it in messages. Throws TypeError for an object
// that is no array, a dtype we do not have, or a foreign byte order; Error for strides that leave
// gaps, repeat or run backwards, for misaligned memory, and for a device that is not the CPU.
Borrowed borrow(pybind11::handle object, const std::string& what, const Accepted& accepted = {});

// A look at an array: its shape and strides are the owner's memory.
struct View {
  Tensor tensor;
  const std::int64_t* shape = nullptr;
  int rank = 0;
  const std::int64_t* strides = nullptr;  // in elements; null: row-major
};

// Whether two arrays of one shape go through memory in the same order; strides of single elements do
// not count.
bool same_order(const View& a, const View& b);

// The usual cases without a detour: a NumPy array, or one whose type offers DLPack's C functions, on
// the CPU, of a dtype that is accepted, in row-major order. False for anything else, which borrow
// then looks at. Valid while the caller keeps the object alive and leaves it as it is.
bool glance(pybind11::handle object, View& view, const Accepted& accepted = {});

// A NumPy array as it was seen, to tell whether one is still that: its memory, dtype, shape and flags.
// Kept by value, so nothing of it can go stale.
class Seen {
 public:
  // False when it is no NumPy array in row-major order, or of too many axes.
  bool remember(pybind11::handle object);

  bool still(pybind11::handle object) const {
    if (Py_TYPE(object.ptr()) != type_) return false;
    const auto* array = pybind11::detail::array_proxy(object.ptr());
    bool same = (array->data == data_) & (array->descr == descr_.ptr()) & (array->flags == flags_) &
                (array->nd == rank_);
    for (int k = 0; same && k < rank_; ++k) same = array->dimensions[k] == shape_[k];
    return same;
  }

 private:
  static constexpr int kMostAxes = 5;
  PyTypeObject* type_ = nullptr;
  pybind11::object descr_;  // held, so that its address stays its own
  const char* data_ = nullptr;
  int flags_ = 0;
  int rank_ = 0;
  pybind11::ssize_t shape_[kMostAxes] = {};
};

}  // namespace mdbopt::bind
