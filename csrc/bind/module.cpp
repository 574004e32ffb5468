// module – mdbopt._core: registers the topics and translates errors.
#include <mdbopt/error.h>

#include "bind.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "Kernels and searches of mdbopt, compiled. Use the package, not this module.";
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const mdbopt::TypeError& error) {
      PyErr_SetString(PyExc_TypeError, error.what());
    } catch (const mdbopt::Error& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const mdbopt::DeviceError& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
    }
  });
  module.attr("__version__") = MDBOPT_VERSION;
  mdbopt::bind::bind_rules(module);
  mdbopt::bind::bind_search(module);
  mdbopt::bind::bind_update(module);
  mdbopt::bind::bind_codes(module);
  mdbopt::bind::bind_plan(module);
  mdbopt::bind::bind_cuda(module);
  mdbopt::bind::bind_device_array(module);
  mdbopt::bind::bind_jax(module);
}
