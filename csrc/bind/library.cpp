// library – a type is looked at once, with all that it was made from.
#include "library.h"

#include <string>
#include <unordered_map>
#include <utility>

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

std::string module_of(py::handle type) {
  return py::str(py::getattr(type, "__module__", py::str("")));
}

bool within(const std::string& module, const std::string& package) {
  return module == package || module.rfind(package + ".", 0) == 0;
}

ArrayLibrary look_up(PyTypeObject* type) {
  ArrayLibrary library;
  const py::handle handle(reinterpret_cast<PyObject*>(type));
  for (const py::handle base : py::reinterpret_borrow<py::tuple>(type->tp_mro)) {
    const std::string module = module_of(base);
    const bool tensor = std::string(py::str(base.attr("__name__"))) == "Tensor";
    library.torch = library.torch || (module == "torch" && tensor);
    library.cupy = library.cupy || within(module, "cupy");
  }
  if (library.torch) library.words = &TensorWords::of_torch();
  const py::object capsule = py::getattr(handle, "__dlpack_c_exchange_api__", py::none());
  if (PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api") != 0) {
    library.functions = static_cast<const DLPackExchangeAPI*>(
        PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
    if (library.functions->header.version.major != DLPACK_MAJOR_VERSION) {
      library.functions = nullptr;
    }
  }
  // Other libraries' arrays may be read-only, which these functions cannot say.
  library.lends = library.functions != nullptr &&
                  library.functions->dltensor_from_py_object_no_sync != nullptr &&
                  within(module_of(handle), "torch");
  handle.inc_ref();  // its address must not become another type's
  return library;
}

}  // namespace

const ArrayLibrary& library_of(PyTypeObject* type) {
  thread_local std::unordered_map<PyTypeObject*, ArrayLibrary> known;
  thread_local std::pair<PyTypeObject*, const ArrayLibrary*> last{nullptr, nullptr};
  if (last.first == type) return *last.second;
  auto found = known.find(type);
  if (found == known.end()) found = known.emplace(type, look_up(type)).first;
  last = {type, &found->second};
  return found->second;
}

}  // namespace mdbopt::bind
