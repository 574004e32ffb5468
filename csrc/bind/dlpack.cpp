// dlpack – the only file that knows DLPack, and how to tell whether an array may be written.
//
// A versioned capsule says whether it is read-only. An unversioned one cannot, so it counts as
// read-only: JAX answers with those only, and writing through one would change an immutable array.
// The capsule is looked at, not consumed: its own destructor frees it after the call.
#include "dlpack.h"

#include <dlpack/dlpack.h>

#include <functional>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "../error.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

// What is known of a type of arrays.
struct Kind {
  bool torch = false;                            // PyTorch's tensors, or of a class made from it
  const DLPackExchangeAPI* functions = nullptr;  // null: the long way
};

Kind look_up(PyTypeObject* type) {
  Kind kind;
  const py::handle handle(reinterpret_cast<PyObject*>(type));
  for (const py::handle base : py::reinterpret_borrow<py::tuple>(type->tp_mro)) {
    const std::string module = py::str(py::getattr(base, "__module__", py::str("")));
    kind.torch = kind.torch ||
                 (module == "torch" && std::string(py::str(base.attr("__name__"))) == "Tensor");
  }
  // Other libraries' arrays may be read-only, which these functions cannot say.
  const std::string module = py::str(py::getattr(handle, "__module__", py::str("")));
  const bool own = module == "torch" || module.rfind("torch.", 0) == 0;
  const py::object capsule = py::getattr(handle, "__dlpack_c_exchange_api__", py::none());
  if (own && PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api") != 0) {
    kind.functions = static_cast<const DLPackExchangeAPI*>(
        PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
    if (kind.functions->header.version.major != DLPACK_MAJOR_VERSION) kind.functions = nullptr;
  }
  handle.inc_ref();  // its address must not become another type's
  return kind;
}

const Kind& kind_of(PyTypeObject* type) {
  thread_local std::unordered_map<PyTypeObject*, Kind> known;
  thread_local std::pair<PyTypeObject*, const Kind*> last{nullptr, nullptr};
  if (last.first == type) return *last.second;
  auto found = known.find(type);
  if (found == known.end()) found = known.emplace(type, look_up(type)).first;
  last = {type, &found->second};
  return found->second;
}

// Whether values are meant negated, which PyTorch's DLPack forgets to say. Its own functions make such
// tensors without gaps of one element only.
bool negated(py::handle object, std::size_t size) {
  return size == 1 && kind_of(Py_TYPE(object.ptr())).torch && py::bool_(object.attr("is_neg")());
}

std::optional<Dtype> dtype_of(const DLDataType& dtype, const Accepted& accepted) {
  if (dtype.lanes != 1) return {};
  if (dtype.code == kDLUInt && dtype.bits == 16) return accepted.bits;
  if (dtype.code == kDLBfloat && dtype.bits == 16 && accepted.half) return Dtype::kBFloat16;
  if (dtype.code != kDLFloat) return {};
  if (dtype.bits == 16 && accepted.half) return Dtype::kFloat16;
  if (dtype.bits == 64) return Dtype::kFloat64;
  return dtype.bits == 32 ? std::optional(Dtype::kFloat32) : std::nullopt;
}

// What the library of an array says against lending it, with the name of the array; errors of other
// kinds are its own affair and go on as they are.
void name_refusal(const py::error_already_set& error, const std::string& what) {
  for (PyObject* kind :
       {PyExc_BufferError, PyExc_RuntimeError, PyExc_TypeError, PyExc_ValueError}) {
    if (error.type().ptr() != kind) continue;
    const std::string text = py::str(error.value());
    PyErr_SetString(kind, (what + ": cannot be read through DLPack: " + text).c_str());
    throw py::error_already_set();
  }
}

py::object capsule_of(py::handle array, const std::string& what) {
  // PyTorch exports no tensor that requires a gradient.
  const bool tracked = py::getattr(array, "requires_grad", py::none()).is(py::bool_(true));
  const py::object object =
      tracked ? array.attr("detach")() : py::reinterpret_borrow<py::object>(array);
  static const py::object name =
      py::reinterpret_steal<py::object>(PyUnicode_InternFromString("__dlpack__"));
  const py::object method = py::getattr(object, name, py::none());
  if (method.is_none()) {
    throw TypeError(what + ": expected a NumPy array or an array with __dlpack__, got " +
                    type_name(object));
  }
  try {
    try {
      return method(py::arg("max_version") = py::make_tuple(1, 3));
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_TypeError)) throw;
    }
    return method();
  } catch (py::error_already_set& error) {
    name_refusal(error, what);
    throw;
  }
}

}  // namespace

Borrowed from_dlpack(py::handle object, const std::string& what, const Accepted& accepted) {
  Borrowed result;
  result.owner = capsule_of(object, what);
  PyObject* capsule = result.owner.ptr();
  const DLTensor* tensor = nullptr;
  if (PyCapsule_IsValid(capsule, "dltensor_versioned") != 0) {
    const auto* managed =
        static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
    if (managed->version.major != DLPACK_MAJOR_VERSION) {
      throw TypeError(what + ": DLPack version " + std::to_string(managed->version.major) +
                      " is not understood");
    }
    tensor = &managed->dl_tensor;
    result.tensor.writable = (managed->flags & DLPACK_FLAG_BITMASK_READ_ONLY) == 0;
  } else if (PyCapsule_IsValid(capsule, "dltensor") != 0) {
    tensor = &static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"))->dl_tensor;
    result.tensor.writable = false;
  } else {
    throw TypeError(what + ": __dlpack__ of " + type_name(object) + " gave no DLPack capsule");
  }
  if (tensor->device.device_type != kDLCPU && tensor->device.device_type != kDLCUDAHost) {
    throw Error(what + " lives on device type " + std::to_string(tensor->device.device_type) +
                " of DLPack, expected an array on the CPU");
  }
  const std::optional<Dtype> known = dtype_of(tensor->dtype, accepted);
  if (!known) {
    wrong_dtype(what,
                "code " + std::to_string(tensor->dtype.code) + " of " +
                    std::to_string(tensor->dtype.bits) + " bits (DLPack)",
                accepted);
  }
  result.tensor.dtype = *known;
  result.tensor.data = static_cast<char*>(tensor->data) + tensor->byte_offset;
  result.shape.assign(tensor->shape, tensor->shape + tensor->ndim);
  result.tensor.size = static_cast<std::size_t>(std::accumulate(
      result.shape.begin(), result.shape.end(), std::int64_t{1}, std::multiplies<>()));
  if (result.tensor.size > 0 && tensor->data == nullptr) {
    throw TypeError(what + " has no memory, expected an array on the CPU");
  }
  if (negated(object, result.tensor.size)) {
    throw TypeError(what + " has the negative bit set, expected what resolve_neg() makes of it");
  }
  if (tensor->strides != nullptr) {
    result.strides.assign(tensor->strides, tensor->strides + tensor->ndim);
  } else {
    std::int64_t stride = 1;
    result.strides.resize(result.shape.size());
    for (std::size_t k = result.shape.size(); k-- > 0; stride *= result.shape[k])
      result.strides[k] = stride;
  }
  return result;
}

bool glance_exchange(py::handle object, View& view, const Accepted& accepted) {
  const DLPackExchangeAPI* functions = kind_of(Py_TYPE(object.ptr())).functions;
  if (functions == nullptr || functions->dltensor_from_py_object_no_sync == nullptr) return false;
  DLTensor tensor;
  if (functions->dltensor_from_py_object_no_sync(object.ptr(), &tensor) != 0) {
    PyErr_Clear();  // the long way says why
    return false;
  }
  const std::optional<Dtype> known = dtype_of(tensor.dtype, accepted);
  if (!known || tensor.device.device_type != kDLCPU) return false;
  std::int64_t size = 1;
  for (int k = tensor.ndim; k-- > 0; size *= tensor.shape[k]) {
    const bool dense = tensor.strides == nullptr || tensor.strides[k] == size;
    if (tensor.shape[k] != 1 && !dense) return false;
  }
  if (tensor.data == nullptr && size > 0) return false;
  if (negated(object, static_cast<std::size_t>(size))) return false;
  char* data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  const std::uintptr_t within = info(*known).bytes - 1;
  if ((reinterpret_cast<std::uintptr_t>(data) & within) != 0) return false;
  view = {{data, static_cast<std::size_t>(size), *known, true}, tensor.shape, tensor.ndim};
  return true;
}

bool counts_versions(py::handle object) { return kind_of(Py_TYPE(object.ptr())).torch; }

void count_versions(const std::vector<py::handle>& tensors) {
  if (tensors.empty()) return;
  py::list all;
  for (const py::handle tensor : tensors) all.append(tensor);
  static PyObject* const increment_version =
      py::object(py::module_::import("torch.autograd.graph").attr("increment_version"))
          .release()
          .ptr();
  py::handle{increment_version}(all);
}

}  // namespace mdbopt::bind
