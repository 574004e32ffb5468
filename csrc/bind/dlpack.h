// dlpack – the arrays of other libraries, through DLPack.
#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <string>
#include <vector>

#include "array.h"
#include "tensor_words.h"

namespace mdbopt::bind {

// The CUDA device that an array says it lives on. Asked before its capsule, since only there may a
// stream be named. What cannot say it is left to __dlpack__, which says why.
std::optional<int> cuda_device_of(pybind11::handle array);

Borrowed from_dlpack(pybind11::handle object, const std::string& what, const Accepted& accepted,
                     CallStream* where);

// A read-only view of an array on the CPU, of any strides and any dtype of real numbers; a copy where
// PyTorch's negative bit is set. NumPy has no bfloat16: it is widened to float32, or refused.
pybind11::array as_numpy(pybind11::handle object, const std::string& what, bool widen);

// glance for what has a type that offers DLPack's C functions.
bool glance_exchange(pybind11::handle object, View& view, const Accepted& accepted,
                     CallStream* where);

// A tensor of PyTorch on the CPU as it was seen, to tell whether one is still that. What it was is kept
// by value: a tensor may be given other memory at any time, so that each is asked where it has it.
class TensorFingerprint {
 public:
  // False when it is none in row-major order, or of too many axes.
  bool remember(pybind11::handle object);
  // Whether an object is such a tensor with the same memory.
  bool still(pybind11::handle object) const;
  // The same of one that is only read, with any memory, which is given.
  bool alike(pybind11::handle object, void*& data) const;
  // The same of the C++ object of a tensor; false also where it cannot be told from its words alone.
  bool alike_words(const char* tensor, void*& data) const;

 private:
  bool asked(pybind11::handle object, void*& data) const;

  static constexpr int kMostAxes = TensorWords::kMostAxes;
  const TensorWords* words_ = nullptr;  // null: it is asked through DLPack
  TensorWords::Kept kept_;
  PyTypeObject* type_ = nullptr;  // those of tensors are held by library_of
  void* data_ = nullptr;
  Dtype dtype_ = Dtype::kFloat64;
  int rank_ = 0;
  std::int64_t shape_[kMostAxes] = {};
};

// Whether it is a tensor of PyTorch, which must be told that it was written: without that a backward
// pass through its former values gives a wrong gradient, silently.
bool counts_versions(pybind11::handle object);
void count_versions(const std::vector<pybind11::handle>& tensors);
void count_versions(const pybind11::list& tensors);

}  // namespace mdbopt::bind
