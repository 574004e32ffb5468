// dlpack – the only file that knows DLPack, and how to tell whether an array may be written.
//
// A versioned capsule says whether it is read-only. An unversioned one cannot, so it counts as
// read-only: JAX answers with those only, and writing through one would change an immutable array.
// The capsule is looked at, not consumed: its own destructor frees it after the call.
#include "dlpack.h"

#include <dlpack/dlpack.h>
#include <pybind11/numpy.h>

#include <algorithm>
#include <numeric>

#include "error.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

std::string type_name(py::handle object) {
  return py::str(py::type::handle_of(object).attr("__name__"));
}

[[noreturn]] void wrong_dtype(const std::string& what, const std::string& came) {
  throw TypeError(what + " has dtype " + came + ", expected float64 or float32");
}

// Dense in some order of axes: sorted by stride, each stride is the number of elements below it.
bool dense(const Borrowed& array) {
  std::vector<std::size_t> axes;
  for (std::size_t k = 0; k < array.shape.size(); ++k) {
    if (array.shape[k] != 1) axes.push_back(k);
  }
  std::sort(axes.begin(), axes.end(),
            [&](auto a, auto b) { return array.strides[a] < array.strides[b]; });
  std::int64_t expected = 1;
  for (std::size_t axis : axes) {
    if (array.strides[axis] != expected) return false;
    expected *= array.shape[axis];
  }
  return true;
}

void check_layout(const Borrowed& array, const std::string& what) {
  if (array.tensor.size == 0) return;
  for (std::size_t k = 0; k < array.shape.size(); ++k) {
    if (array.shape[k] > 1 && array.strides[k] <= 0) {
      throw Error(what + " has a " + (array.strides[k] < 0 ? "negative" : "zero (broadcast)") +
                  " stride, expected a dense array; pass a copy");
    }
  }
  if (!dense(array))
    throw Error(what + " has gaps between its elements, expected a dense array; pass a copy");
  if (reinterpret_cast<std::uintptr_t>(array.tensor.data) % info(array.tensor.dtype).bytes != 0) {
    throw Error(what +
                " is not aligned to its element size, expected an aligned array; pass a copy");
  }
}

Borrowed from_numpy(const py::array& array, const std::string& what) {
  const py::dtype dtype = array.dtype();
  Borrowed result;
  const bool native = dtype.byteorder() == '=' || dtype.byteorder() == '|';
  if (dtype.kind() == 'f' && dtype.itemsize() == 8 && native)
    result.tensor.dtype = Dtype::kFloat64;
  else if (dtype.kind() == 'f' && dtype.itemsize() == 4 && native)
    result.tensor.dtype = Dtype::kFloat32;
  else
    wrong_dtype(what, native ? py::str(dtype).cast<std::string>() : "of foreign byte order");
  result.tensor.data = const_cast<void*>(array.data());
  result.tensor.size = static_cast<std::size_t>(array.size());
  result.tensor.writable = array.writeable();
  const auto width = static_cast<std::int64_t>(info(result.tensor.dtype).bytes);
  for (py::ssize_t k = 0; k < array.ndim(); ++k) {
    result.shape.push_back(array.shape(k));
    // A stride of a fraction of an element cannot be dense, nor can 0.
    result.strides.push_back(array.strides(k) % width == 0 ? array.strides(k) / width : 0);
  }
  result.owner = array;
  return result;
}

py::object capsule_of(py::handle object, const std::string& what) {
  static const py::object name =
      py::reinterpret_steal<py::object>(PyUnicode_InternFromString("__dlpack__"));
  const py::object method = py::getattr(object, name, py::none());
  if (method.is_none()) {
    throw TypeError(what + ": expected a NumPy array or an array with __dlpack__, got " +
                    type_name(object));
  }
  try {
    return method(py::arg("max_version") = py::make_tuple(1, 3));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return method();
}

Borrowed from_dlpack(py::handle object, const std::string& what) {
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
  if (tensor->dtype.code != kDLFloat || tensor->dtype.lanes != 1 ||
      (tensor->dtype.bits != 64 && tensor->dtype.bits != 32)) {
    wrong_dtype(what, "code " + std::to_string(tensor->dtype.code) + " of " +
                          std::to_string(tensor->dtype.bits) + " bits (DLPack)");
  }
  result.tensor.dtype = tensor->dtype.bits == 64 ? Dtype::kFloat64 : Dtype::kFloat32;
  result.tensor.data = static_cast<char*>(tensor->data) + tensor->byte_offset;
  result.shape.assign(tensor->shape, tensor->shape + tensor->ndim);
  result.tensor.size = static_cast<std::size_t>(std::accumulate(
      result.shape.begin(), result.shape.end(), std::int64_t{1}, std::multiplies<>()));
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

}  // namespace

bool Borrowed::row_major() const {
  if (tensor.size == 0) return true;
  std::int64_t expected = 1;
  for (std::size_t k = shape.size(); k-- > 0; expected *= shape[k]) {
    if (shape[k] != 1 && strides[k] != expected) return false;
  }
  return true;
}

bool borrow_numpy(py::handle object, Tensor& tensor) {
  const auto& numpy = py::detail::npy_api::get();
  if (Py_TYPE(object.ptr()) != numpy.PyArray_Type_) return false;
  const auto* array = py::detail::array_proxy(object.ptr());
  const int type = py::detail::array_descriptor1_proxy(array->descr)->type_num;
  const char order = py::detail::array_descriptor1_proxy(array->descr)->byteorder;
  constexpr int kDense =
      py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array->flags & kDense) != kDense || (order != '=' && order != '|')) return false;
  if (type == py::detail::npy_api::NPY_DOUBLE_)
    tensor.dtype = Dtype::kFloat64;
  else if (type == py::detail::npy_api::NPY_FLOAT_)
    tensor.dtype = Dtype::kFloat32;
  else
    return false;
  tensor.data = array->data;
  tensor.size = 1;
  for (int k = 0; k < array->nd; ++k) tensor.size *= static_cast<std::size_t>(array->dimensions[k]);
  tensor.writable = (array->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) != 0;
  return true;
}

Borrowed borrow(py::handle object, const std::string& what) {
  static const py::object ndarray = py::module_::import("numpy").attr("ndarray");
  if (!py::type::handle_of(object).is(ndarray) && py::hasattr(object, "mask")) {
    throw TypeError(what + ": expected an array without a mask, got " + type_name(object));
  }
  Borrowed array = py::isinstance<py::array>(object)
                       ? from_numpy(py::reinterpret_borrow<py::array>(object), what)
                       : from_dlpack(object, what);
  check_layout(array, what);
  return array;
}

}  // namespace mdbopt::bind
