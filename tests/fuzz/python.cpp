// python – a fuzzer whose inputs go to `one_input` of the module kModule beside this file, which raises
// what is a finding; its `prepare` comes first.
#include <cstddef>
#include <cstdint>

#include "interpreter.h"

namespace py = pybind11;

extern const char* const kModule;

namespace {
PyObject* g_one_input = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::start_python(true);
  try {
    const py::module_ module = py::module_::import(kModule);
    module.attr("prepare")();
    // What is there to stay need not be walked through at each collection.
    py::module_::import("gc").attr("freeze")();
    py::object function = module.attr("one_input");
    g_one_input = function.release().ptr();
  } catch (py::error_already_set& error) {
    fuzz::unexpected(error);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    py::handle{g_one_input}(py::bytes(reinterpret_cast<const char*>(data), size));
  } catch (py::error_already_set& error) {
    fuzz::unexpected(error);
  }
  return 0;
}
