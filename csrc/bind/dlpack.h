// dlpack – the arrays of other libraries, through DLPack.
#pragma once

#include "array.h"

namespace mdbopt::bind {

Borrowed from_dlpack(pybind11::handle object, const std::string& what, const Accepted& accepted,
                     CallPlace* where);

// glance for what has a type that offers DLPack's C functions.
bool glance_exchange(pybind11::handle object, View& view, const Accepted& accepted,
                     CallPlace* where);

// Whether it is a tensor of PyTorch, which must be told that it was written: without that a backward
// pass through its former values gives a wrong gradient, silently.
bool counts_versions(pybind11::handle object);
void count_versions(const std::vector<pybind11::handle>& tensors);

}  // namespace mdbopt::bind
