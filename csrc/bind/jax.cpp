// jax – the calls for XLA as capsules, where the extension was built with the headers of jaxlib.
#include "bind.h"

#ifdef MDBOPT_JAX
#include "jax.h"
#endif

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

py::dict xla_targets() {
  py::dict targets;
#ifdef MDBOPT_JAX
  const auto add = [&](const char* name, XLA_FFI_Handler* handler) {
    targets[name] = py::capsule(reinterpret_cast<void*>(handler), "xla._CUSTOM_CALL_TARGET");
  };
  add("mdbopt_update", &xla_update);
  add("mdbopt_search", &xla_search);
#endif
  return targets;
}

}  // namespace

void bind_jax(py::module_& module) {
  module.def("xla_targets", &xla_targets,
             "The calls for XLA by name; none where the headers of jaxlib were missing.");
}

}  // namespace mdbopt::bind
