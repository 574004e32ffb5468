// interpreter – starts Python as the environment's own program would, but for its memory, which is
// malloc's, so that the address sanitizer sees what leaves it.
#include "interpreter.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>

namespace py = pybind11;

extern "C" PyObject* PyInit__core();

// What Python keeps to its end counts as a leak; arrays too large for memory are a MemoryError.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0:allocator_may_return_null=1";
}

namespace {

constexpr std::size_t kCounters = std::size_t{1} << 15;
__attribute__((section("__libfuzzer_extra_counters"))) std::uint8_t g_counters[kCounters];

void check(PyStatus status) {
  if (PyStatus_Exception(status) != 0) Py_ExitStatusException(status);
}

// 0 for code that is not the package's. Code objects that are in use keep their address.
std::uint32_t key_of(PyCodeObject* code) {
  static std::unordered_map<PyCodeObject*, std::uint32_t> known;
  const auto [entry, fresh] = known.try_emplace(code, 0);
  if (!fresh) return entry->second;
  Py_INCREF(code);
  const std::string file = py::str(py::handle(code->co_filename));
  if (file.find("/mdbopt/") != std::string::npos)
    entry->second = static_cast<std::uint32_t>(std::hash<std::string_view>{}(file) | 1);
  return entry->second;
}

int on_event(PyObject*, PyFrameObject* frame, int what, PyObject*) {
  if (what != PyTrace_LINE) return 0;
  PyCodeObject* code = PyFrame_GetCode(frame);
  const std::uint32_t key = key_of(code);
  Py_DECREF(code);
  if (key != 0)
    ++g_counters[(key + static_cast<std::uint32_t>(PyFrame_GetLasti(frame)) * 0x9e3779b1U) %
                 kCounters];
  return 0;
}

}  // namespace

namespace fuzz {

void start_python() {
  PyPreConfig before;
  PyPreConfig_InitPythonConfig(&before);
  before.allocator = PYMEM_ALLOCATOR_MALLOC;
  check(Py_PreInitialize(&before));
  PyImport_AppendInittab("mdbopt._core", &PyInit__core);
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;
  check(PyConfig_SetBytesString(&config, &config.program_name, MDBOPT_PYTHON_PROGRAM));
  check(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
  try {
    // What is linked in comes before what is installed.
    const py::object finders = py::module_::import("sys").attr("meta_path");
    finders.attr("insert")(0, py::module_::import("importlib.machinery").attr("BuiltinImporter"));
    py::module_::import("sys").attr("path").attr("insert")(0, MDBOPT_FUZZ_FOLDER);
    py::module_::import("warnings").attr("simplefilter")("error");
    py::module_::import("mdbopt");
  } catch (py::error_already_set& error) {
    unexpected(error);
  }
}

void trace_lines() { PyEval_SetTrace(&on_event, nullptr); }

void unexpected(py::error_already_set& error) {
  error.restore();
  PyErr_Print();
  std::abort();
}

}  // namespace fuzz
