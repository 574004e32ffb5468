// library – what is known of the library that a type of arrays comes from.
#pragma once

#include <dlpack/dlpack.h>
#include <pybind11/pybind11.h>

#include "tensor_words.h"

namespace mdbopt::bind {

struct ArrayLibrary {
  bool torch = false;                            // PyTorch's tensors, or of a class made from it
  bool cupy = false;                             // likewise
  const TensorWords* words = nullptr;            // of PyTorch's tensors
  const DLPackExchangeAPI* functions = nullptr;  // null: it offers none
  bool lends = false;                            // whether these may be used to read its arrays
};

// Remembered by type.
const ArrayLibrary& library_of(PyTypeObject* type);

}  // namespace mdbopt::bind
