// numpy – NumPy's arrays, read from their own structure.
#pragma once

#include <pybind11/numpy.h>

#include "array.h"

namespace mdbopt::bind {

// bfloat16 is no dtype of NumPy before ml_dtypes is imported.
pybind11::dtype numpy_dtype(Dtype dtype);

bool has_dtype(const pybind11::array& array, const Accepted& accepted);
Borrowed from_numpy(const pybind11::array& array, const std::string& what,
                    const Accepted& accepted);

// glance for what is of NumPy's own type.
bool is_plain_numpy(pybind11::handle object);
bool glance_numpy(pybind11::handle object, View& view, const Accepted& accepted);

// A NumPy array as it was seen, to tell whether one is still that: its memory, dtype, shape and flags.
// Kept by value, so nothing of it can go stale.
class ArrayFingerprint {
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
