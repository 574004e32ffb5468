// interpreter – starts Python as the environment's own program would, but for its memory, which is
// malloc's, so that the address sanitizer sees what leaves it.
#include "interpreter.h"

#include <cstdint>
#include <cstdlib>

namespace py = pybind11;

extern "C" PyObject* PyInit__core();

// What Python keeps to its end counts as a leak; arrays too large for memory are a MemoryError. Half of the time would go
// into where each block was allocated, freed blocks that are kept for longer than an input takes, and stack frames that
// are swept at every exception. ASAN_OPTIONS gives back what a finding needs.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0:allocator_may_return_null=1:malloc_context_size=1:quarantine_size_mb=4:"
         "thread_local_quarantine_size_kb=256:detect_stack_use_after_return=0";
}

namespace {

// More than the package has blocks.
constexpr std::size_t kCounters = std::size_t{1} << 13;
__attribute__((section("__libfuzzer_extra_counters"))) std::uint8_t g_counters[kCounters];

void check(PyStatus status) {
  if (PyStatus_Exception(status) != 0) Py_ExitStatusException(status);
}

// A block of statements of the package was reached: covered.py has put the call there.
__attribute__((no_sanitize("address", "undefined", "coverage"))) PyObject* hit(PyObject*,
                                                                               PyObject* number) {
  ++g_counters[static_cast<std::size_t>(PyLong_AsLong(number)) % kCounters];
  Py_RETURN_NONE;
}

PyMethodDef g_hit{"__mdbopt_fuzz_hit__", &hit, METH_O, nullptr};

}  // namespace

namespace fuzz {

void start_python(bool counted) {
  PyPreConfig before;
  PyPreConfig_InitPythonConfig(&before);
  if (std::getenv("PYTHONMALLOC") == nullptr) before.allocator = PYMEM_ALLOCATOR_MALLOC;
  check(Py_PreInitialize(&before));
  PyImport_AppendInittab("mdbopt._core", &PyInit__core);
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;
  check(PyConfig_SetBytesString(&config, &config.program_name, MDBOPT_PYTHON_PROGRAM));
  check(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
  try {
    py::module_::import("sys").attr("path").attr("insert")(0, MDBOPT_FUZZ_FOLDER);
    py::module_::import("linked").attr("install")();
    py::module_::import("warnings").attr("simplefilter")("error");
    if (counted) {
      const auto function = py::reinterpret_steal<py::object>(PyCFunction_New(&g_hit, nullptr));
      py::module_::import("builtins").attr(g_hit.ml_name) = function;
      py::module_::import("covered").attr("install")();
    }
    py::module_::import("mdbopt");
  } catch (py::error_already_set& error) {
    unexpected(error);
  }
}

void unexpected(py::error_already_set& error) {
  error.restore();
  PyErr_Print();
  std::abort();
}

}  // namespace fuzz
