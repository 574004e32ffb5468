// dlpack – the only file that knows DLPack, and how to tell whether an array may be written.
//
// A versioned capsule says whether it is read-only. An unversioned one cannot, so it counts as
// read-only: JAX answers with those only, and writing through one would change an immutable array.
// CuPy did, too, before its version 14, but has no array that is read-only.
// The capsule is looked at, not consumed: its own destructor frees it after the call.
#include "dlpack.h"

#include <dlpack/dlpack.h>

#include <functional>
#include <numeric>

#include "../check.h"
#include "../error.h"
#include "library.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

// Whether values are meant negated, which PyTorch's DLPack forgets to say. Its own functions make such
// tensors without gaps of one element only.
bool negated(py::handle object, std::size_t size) {
  return size == 1 && library_of(Py_TYPE(object.ptr())).torch && py::bool_(object.attr("is_neg")());
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

bool on_cuda(const DLDevice& device) {
  return device.device_type == kDLCUDA || device.device_type == kDLCUDAManaged;
}

bool on_cpu(const DLDevice& device) {
  return device.device_type == kDLCPU || device.device_type == kDLCUDAHost;
}

// The CUDA device that an array says it lives on. Asked before its capsule, since only there may a
// stream be named. What cannot say it is left to __dlpack__, which says why.
std::optional<int> cuda_device_of(py::handle array) {
  static const py::object name =
      py::reinterpret_steal<py::object>(PyUnicode_InternFromString("__dlpack_device__"));
  const py::object method = py::getattr(array, name, py::none());
  if (method.is_none()) return {};
  try {
    const auto said = method().cast<std::pair<int, int>>();
    const DLDevice device{static_cast<DLDeviceType>(said.first), said.second};
    return on_cuda(device) ? std::optional(device.device_id) : std::nullopt;
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_Exception)) throw;
  } catch (const py::cast_error&) {
  }
  return {};
}

py::object capsule_of(py::handle array, const std::string& what, const py::dict& request) {
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
      return method(**request, py::arg("max_version") = py::make_tuple(1, 3));
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_TypeError)) throw;
    }
    return method(**request);
  } catch (py::error_already_set& error) {
    name_refusal(error, what);
    throw;
  }
}

// Where the memory of a capsule is, which must be where its array said.
Place place_of(const DLDevice& device, const std::optional<int>& said, const std::string& what) {
  if (on_cpu(device)) return {};
  if (on_cuda(device) && said == device.device_id) return {device.device_id};
  throw Error(what + " lives on device type " + std::to_string(device.device_type) +
              " of DLPack, expected an array on the CPU" +
              (on_cuda(device) ? " or one whose __dlpack_device__ says so" : " or on CUDA"));
}

}  // namespace

Borrowed from_dlpack(py::handle object, const std::string& what, const Accepted& accepted,
                     CallPlace* where) {
  Borrowed result;
  const std::optional<int> device = cuda_device_of(object);
  if (!device) {
    result.owner = capsule_of(object, what, {});
  } else if (where == nullptr) {
    throw Error(what + " lives on " + memory_name(*device) + ", expected an array on the CPU");
  } else {
    where->meet(object, *device, what);
    const AsCurrent current(library_of(Py_TYPE(object.ptr())), *device);
    result.owner = capsule_of(object, what, py::dict("stream"_a = where->number_for(*device)));
  }
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
    result.tensor.writable = library_of(Py_TYPE(object.ptr())).cupy;
  } else {
    throw TypeError(what + ": __dlpack__ of " + type_name(object) + " gave no DLPack capsule");
  }
  result.tensor.place = place_of(tensor->device, device, what);
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
    throw TypeError(what + " has no memory, expected an array that has");
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

bool glance_exchange(py::handle object, View& view, const Accepted& accepted, CallPlace* where) {
  const ArrayLibrary& library = library_of(Py_TYPE(object.ptr()));
  if (!library.lends) return false;
  DLTensor tensor;
  if (library.functions->dltensor_from_py_object_no_sync(object.ptr(), &tensor) != 0) {
    PyErr_Clear();  // the long way says why
    return false;
  }
  const std::optional<Dtype> known = dtype_of(tensor.dtype, accepted);
  const bool device = on_cuda(tensor.device);
  if (!known || (tensor.device.device_type != kDLCPU && (!device || where == nullptr)))
    return false;
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
  if (device && !where->shares(object, tensor.device.device_id)) return false;
  view = {{data, static_cast<std::size_t>(size), *known, true}, tensor.shape, tensor.ndim};
  if (device) view.tensor.place.device = tensor.device.device_id;
  return true;
}

bool counts_versions(py::handle object) { return library_of(Py_TYPE(object.ptr())).torch; }

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
