// dlpack – the arrays of other libraries, through DLPack.
#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <string>
#include <vector>

#include "array.h"

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

// Whether it is a tensor of PyTorch, which must be told that it was written: without that a backward
// pass through its former values gives a wrong gradient, silently.
bool counts_versions(pybind11::handle object);
void count_versions(const std::vector<pybind11::handle>& tensors);

}  // namespace mdbopt::bind
