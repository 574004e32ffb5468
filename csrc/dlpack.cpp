// dlpack – the only file that knows DLPack, and how to tell whether an array may be written.
//
// A versioned capsule says whether it is read-only. An unversioned one cannot, so it counts as
// read-only: JAX answers with those only, and writing through one would change an immutable array.
// The capsule is looked at, not consumed: its own destructor frees it after the call.
#include "dlpack.h"

#include <dlpack/dlpack.h>
#include <pybind11/numpy.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <unordered_map>

#include "error.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

std::string type_name(py::handle object) {
  return py::str(py::type::handle_of(object).attr("__name__"));
}

[[noreturn]] void wrong_dtype(const std::string& what, const std::string& came,
                              const Accepted& accepted) {
  throw TypeError(what + " has dtype " + came + ", expected float64" +
                  (accepted.half ? ", float32, bfloat16 or float16" : " or float32"));
}

// NumPy's number of the bfloat16 of ml_dtypes, once an array of it has been seen.
std::atomic<int> g_bfloat16_number{-1};

std::optional<Dtype> dtype_of(int number, const Accepted& accepted) {
  using py::detail::npy_api;
  constexpr int kHalfNumber = 23;  // NPY_HALF
  if (number == npy_api::NPY_DOUBLE_) return Dtype::kFloat64;
  if (number == npy_api::NPY_FLOAT_) return Dtype::kFloat32;
  if (number == npy_api::NPY_USHORT_) return accepted.bits;
  if (!accepted.half) return {};
  if (number == kHalfNumber) return Dtype::kFloat16;
  if (number == g_bfloat16_number.load(std::memory_order_relaxed)) return Dtype::kBFloat16;
  return {};
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

Borrowed from_numpy(const py::array& array, const std::string& what, const Accepted& accepted) {
  const py::dtype dtype = array.dtype();
  Borrowed result;
  const bool native = dtype.byteorder() == '=' || dtype.byteorder() == '|';
  const std::string name = py::str(dtype);
  if (name == "bfloat16" && dtype.itemsize() == 2) g_bfloat16_number = dtype.num();
  const std::optional<Dtype> known = native ? dtype_of(dtype.num(), accepted) : std::nullopt;
  if (!known) wrong_dtype(what, native ? name : "of foreign byte order", accepted);
  result.tensor.dtype = *known;
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

std::optional<Dtype> dtype_of(const DLDataType& dtype, const Accepted& accepted) {
  if (dtype.lanes != 1) return {};
  if (dtype.code == kDLUInt && dtype.bits == 16) return accepted.bits;
  if (dtype.code == kDLBfloat && dtype.bits == 16 && accepted.half) return Dtype::kBFloat16;
  if (dtype.code != kDLFloat) return {};
  if (dtype.bits == 16 && accepted.half) return Dtype::kFloat16;
  if (dtype.bits == 64) return Dtype::kFloat64;
  return dtype.bits == 32 ? std::optional(Dtype::kFloat32) : std::nullopt;
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
    return method(py::arg("max_version") = py::make_tuple(1, 3));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return method();
}

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

Dtype half_named(const std::string& name) {
  for (const Dtype dtype : {Dtype::kBFloat16, Dtype::kFloat16}) {
    if (name == info(dtype).name) return dtype;
  }
  throw Error("dtype: expected 'bfloat16' or 'float16' for arrays of uint16, got '" + name + "'");
}

bool Borrowed::row_major() const {
  if (tensor.size == 0) return true;
  std::int64_t expected = 1;
  for (std::size_t k = shape.size(); k-- > 0; expected *= shape[k]) {
    if (shape[k] != 1 && strides[k] != expected) return false;
  }
  return true;
}

bool same_order(const View& a, const View& b) {
  if (a.strides == nullptr || b.strides == nullptr) return a.strides == b.strides;
  for (int k = 0; k < a.rank; ++k) {
    if (a.shape[k] != 1 && a.strides[k] != b.strides[k]) return false;
  }
  return true;
}

namespace {

bool glance_numpy(py::handle object, View& view, const Accepted& accepted) {
  const auto* array = py::detail::array_proxy(object.ptr());
  const int type = py::detail::array_descriptor1_proxy(array->descr)->type_num;
  const char order = py::detail::array_descriptor1_proxy(array->descr)->byteorder;
  constexpr int kDense =
      py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array->flags & kDense) != kDense || (order != '=' && order != '|')) return false;
  const std::optional<Dtype> known = dtype_of(type, accepted);
  if (!known) return false;
  static_assert(sizeof(py::ssize_t) == sizeof(std::int64_t));
  view.shape = reinterpret_cast<const std::int64_t*>(array->dimensions);
  view.rank = array->nd;
  std::size_t size = 1;
  for (int k = 0; k < array->nd; ++k) size *= static_cast<std::size_t>(array->dimensions[k]);
  view.tensor = {array->data, size, *known,
                 (array->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) != 0};
  return true;
}

// The C functions that a type offers; null for a type that does not, or whose arrays may be
// read-only, which they cannot say.
const DLPackExchangeAPI* exchange_of(PyTypeObject* type) {
  thread_local std::unordered_map<PyTypeObject*, const DLPackExchangeAPI*> known;
  const auto found = known.find(type);
  if (found != known.end()) return found->second;
  const DLPackExchangeAPI* functions = nullptr;
  const py::handle handle(reinterpret_cast<PyObject*>(type));
  const std::string module = py::str(py::getattr(handle, "__module__", py::str("")));
  const bool always_writable = module == "torch" || module.rfind("torch.", 0) == 0;
  const py::object capsule = py::getattr(handle, "__dlpack_c_exchange_api__", py::none());
  if (always_writable && PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api") != 0) {
    functions = static_cast<const DLPackExchangeAPI*>(
        PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
    if (functions->header.version.major != DLPACK_MAJOR_VERSION) functions = nullptr;
  }
  handle.inc_ref();  // its address must not become another type's
  known.emplace(type, functions);
  return functions;
}

bool glance_exchange(py::handle object, View& view, const Accepted& accepted) {
  const DLPackExchangeAPI* functions = exchange_of(Py_TYPE(object.ptr()));
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
  char* data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  if (reinterpret_cast<std::uintptr_t>(data) % info(*known).bytes != 0) return false;
  view = {{data, static_cast<std::size_t>(size), *known, true}, tensor.shape, tensor.ndim};
  return true;
}

}  // namespace

bool glance(py::handle object, View& view, const Accepted& accepted) {
  if (Py_TYPE(object.ptr()) == py::detail::npy_api::get().PyArray_Type_) {
    return glance_numpy(object, view, accepted);
  }
  return glance_exchange(object, view, accepted);
}

bool Seen::remember(py::handle object) {
  if (Py_TYPE(object.ptr()) != py::detail::npy_api::get().PyArray_Type_) return false;
  const auto* array = py::detail::array_proxy(object.ptr());
  if (array->nd > kMostAxes || (array->flags & py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_) == 0) {
    return false;
  }
  type_ = Py_TYPE(object.ptr());
  descr_ = py::reinterpret_borrow<py::object>(array->descr);
  data_ = array->data;
  flags_ = array->flags;
  rank_ = array->nd;
  std::copy_n(array->dimensions, rank_, shape_);
  return true;
}

Borrowed borrow(py::handle object, const std::string& what, const Accepted& accepted) {
  static const py::object ndarray = py::module_::import("numpy").attr("ndarray");
  if (!py::type::handle_of(object).is(ndarray) && py::hasattr(object, "mask")) {
    throw TypeError(what + ": expected an array without a mask, got " + type_name(object));
  }
  Borrowed array = py::isinstance<py::array>(object)
                       ? from_numpy(py::reinterpret_borrow<py::array>(object), what, accepted)
                       : from_dlpack(object, what, accepted);
  check_layout(array, what);
  return array;
}

}  // namespace mdbopt::bind
