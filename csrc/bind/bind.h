// bind – the topics of the Python module, one file each.
#pragma once

#include <pybind11/pybind11.h>

namespace mdbopt::bind {

void bind_codes(pybind11::module_& module);
void bind_cuda(pybind11::module_& module);
void bind_device_array(pybind11::module_& module);
void bind_jax(pybind11::module_& module);
void bind_plan(pybind11::module_& module);
void bind_rules(pybind11::module_& module);
void bind_search(pybind11::module_& module);
void bind_update(pybind11::module_& module);

}  // namespace mdbopt::bind
