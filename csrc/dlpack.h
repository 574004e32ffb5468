// dlpack – borrows the memory of other people's arrays: NumPy's directly, any other library's
// through DLPack.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tensor.h"

namespace mdbopt::bind {

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
Borrowed borrow(pybind11::handle object, const std::string& what);

// The usual case without a detour: a NumPy array of our dtypes in row-major order. False for
// anything else, which borrow then looks at. The caller keeps the object alive.
bool borrow_numpy(pybind11::handle object, Tensor& tensor);

}  // namespace mdbopt::bind
