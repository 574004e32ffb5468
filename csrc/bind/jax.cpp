// jax – the calls for XLA as capsules.
#include <pybind11/pybind11.h>

#include "bind.h"
#include "xla_targets.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

py::dict xla_targets() {
  py::dict targets;
  for (const XlaTarget& target : entered_xla_targets()) {
    targets[target.name] = py::capsule(target.handler, "xla._CUSTOM_CALL_TARGET");
  }
  return targets;
}

}  // namespace

std::vector<XlaTarget>& entered_xla_targets() {
  static std::vector<XlaTarget> targets;
  return targets;
}

void bind_jax(py::module_& module) {
  module.def("xla_targets", &xla_targets,
             "The calls for XLA by name; none where the headers of jaxlib were missing.");
}

}  // namespace mdbopt::bind
