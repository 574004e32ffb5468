// dlpack – the only file that knows DLPack, and how to tell whether an array may be written.
//
// A versioned capsule says whether it is read-only. An unversioned one cannot, so it counts as
// read-only: JAX answers with those only, and writing through one would change an immutable array.
// CuPy did, too, before its version 14, but has no array that is read-only.
// The capsule is looked at, not consumed: its own destructor frees it after the call.
#include "dlpack.h"

#include <dlpack/dlpack.h>
#include <mdbopt/error.h>
#include <pybind11/gil_safe_call_once.h>

#include <algorithm>
#include <limits>

#include "../engine/check.h"
#include "library.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

bool is_negative(py::handle object) {
  const TensorWords* words = library_of(Py_TYPE(object.ptr())).words;
  return words != nullptr && words->negative(object);
}

std::optional<Dtype> dtype_of(const DLDataType& dtype, const Accepted& accepted) {
  if (dtype.lanes != 1) return {};
  if (dtype.code == kDLUInt && dtype.bits == 16) return accepted.bits;
  if (dtype.code == kDLUInt && dtype.bits == 8 && accepted.codes) return Dtype::kUint8;
  if (dtype.code == kDLBfloat && dtype.bits == 16 && accepted.half) return Dtype::kBFloat16;
  if (dtype.code != kDLFloat) return {};
  if (dtype.bits == 16 && accepted.half) return Dtype::kFloat16;
  if (dtype.bits == 64) return Dtype::kFloat64;
  return dtype.bits == 32 ? std::optional(Dtype::kFloat32) : std::nullopt;
}

// What the library of an array says against lending it, with the name of the array, as an error of
// ours; errors of other kinds are its own affair and go on as they are.
void name_refusal(py::error_already_set& error, const std::string& what) {
  const bool value = error.matches(PyExc_ValueError);
  for (PyObject* kind :
       {PyExc_BufferError, PyExc_RuntimeError, PyExc_TypeError, PyExc_ValueError}) {
    if (error.type().ptr() != kind) continue;
    const std::string text = py::str(error.value());
    py::raise_from(error, value ? PyExc_ValueError : PyExc_TypeError,
                   (what + ": cannot be read through DLPack: " + text).c_str());
    throw py::error_already_set();
  }
}

bool on_cuda(const DLDevice& device) {
  return device.device_type == kDLCUDA || device.device_type == kDLCUDAManaged;
}

bool on_cpu(const DLDevice& device) {
  return device.device_type == kDLCPU || device.device_type == kDLCUDAHost;
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
Location place_of(const DLDevice& device, const std::optional<int>& said, const std::string& what) {
  if (on_cpu(device)) return {};
  if (on_cuda(device) && said == device.device_id) return {device.device_id};
  throw Error(what + " lives on device type " + std::to_string(device.device_type) +
              " of DLPack, expected an array on the CPU" +
              (on_cuda(device) ? " or one whose __dlpack_device__ says so" : " or on CUDA"));
}

// NumPy has no more.
constexpr int kMostAxes = 64;

bool times(std::int64_t& value, std::int64_t factor) {
  return !__builtin_mul_overflow(value, factor, &value);
}

// Throws unless shape and strides describe memory that can be there. A dimension of 0 does not
// excuse the others.
void check_extent(const DLTensor& tensor, const std::string& what) {
  const auto refuse = [&](const std::string& came, const std::string& expected) {
    throw TypeError(what + ": its DLPack tensor has " + came + ", expected " + expected);
  };
  if (tensor.ndim < 0 || tensor.ndim > kMostAxes)
    refuse(std::to_string(tensor.ndim) + " axes", "0 to " + std::to_string(kMostAxes));
  if (tensor.ndim > 0 && tensor.shape == nullptr) refuse("axes, but no shape", "both");
  const std::int64_t width = (tensor.dtype.bits + 7) / 8;
  bool empty = false;
  bool fits = true;
  std::int64_t bytes = width;
  std::int64_t reach = 0;
  for (int k = 0; k < tensor.ndim; ++k) {
    const std::int64_t length = tensor.shape[k];
    if (length < 0) refuse("a dimension of " + std::to_string(length), "none below 0");
    if (length == 0) empty = true;
    if (length < 2) continue;
    fits = fits && times(bytes, length);
    if (tensor.strides == nullptr) continue;
    std::int64_t far = tensor.strides[k] < 0 ? -(tensor.strides[k] + 1) : tensor.strides[k];
    fits = fits && times(far, length - 1) && times(far, width) &&
           !__builtin_add_overflow(reach, far, &reach);
  }
  if (!fits) refuse("a shape or strides beyond all memory", "bytes that can be counted");
  if (tensor.data == nullptr && empty) return;
  if (tensor.data == nullptr) throw TypeError(what + " has no memory, expected an array that has");
  if (tensor.byte_offset >
      std::numeric_limits<std::uintptr_t>::max() - reinterpret_cast<std::uintptr_t>(tensor.data)) {
    refuse("an offset of " + std::to_string(tensor.byte_offset) + " bytes",
           "one within its memory");
  }
}

// Null stays null, whatever the offset: arrays without elements may have no memory.
char* memory_of(const DLTensor& tensor) {
  return tensor.data == nullptr ? nullptr : static_cast<char*>(tensor.data) + tensor.byte_offset;
}

// An array as its library lends it.
struct Lent {
  py::object capsule;
  const DLTensor* tensor = nullptr;
  bool writable = false;
  Location location;

  void* data() const { return memory_of(*tensor); }
  std::vector<std::int64_t> shape() const { return {tensor->shape, tensor->shape + tensor->ndim}; }
  // In elements. Where there are not two to step between, a stride may be any number, and is 1 here.
  std::vector<std::int64_t> strides() const {
    std::vector<std::int64_t> all(static_cast<std::size_t>(tensor->ndim));
    std::int64_t row_major = 1;
    for (std::size_t k = all.size(); k-- > 0; row_major *= tensor->shape[k]) {
      const std::int64_t stride = tensor->strides != nullptr ? tensor->strides[k] : row_major;
      all[k] = tensor->shape[k] < 2 ? 1 : stride;
    }
    return all;
  }
};

Lent lent_by(py::handle object, const std::string& what, CallStream* where) {
  Lent lent;
  const std::optional<int> device = cuda_device_of(object);
  if (!device) {
    lent.capsule = capsule_of(object, what, {});
  } else if (where == nullptr) {
    throw Error(what + " lives on " + memory_name(*device) + ", expected an array on the CPU");
  } else {
    where->meet(object, *device, what);
    const AsCurrent current(library_of(Py_TYPE(object.ptr())), *device);
    lent.capsule = capsule_of(object, what, py::dict("stream"_a = where->number_for(*device)));
  }
  PyObject* capsule = lent.capsule.ptr();
  if (PyCapsule_IsValid(capsule, "dltensor_versioned") != 0) {
    const auto* managed =
        static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
    if (managed->version.major != DLPACK_MAJOR_VERSION) {
      throw TypeError(what + ": DLPack version " + std::to_string(managed->version.major) +
                      " is not understood");
    }
    lent.tensor = &managed->dl_tensor;
    lent.writable = (managed->flags & DLPACK_FLAG_BITMASK_READ_ONLY) == 0;
  } else if (PyCapsule_IsValid(capsule, "dltensor") != 0) {
    lent.tensor =
        &static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"))->dl_tensor;
    lent.writable = library_of(Py_TYPE(object.ptr())).cupy;
  } else {
    throw TypeError(what + ": __dlpack__ of " + type_name(object) + " gave no DLPack capsule");
  }
  lent.location = place_of(lent.tensor->device, device, what);
  check_extent(*lent.tensor, what);
  return lent;
}

std::string in_words(const DLDataType& dtype) {
  return "code " + std::to_string(dtype.code) + " of " + std::to_string(dtype.bits) + " bits" +
         (dtype.lanes == 1 ? "" : " in " + std::to_string(dtype.lanes) + " lanes") + " (DLPack)";
}

// NumPy's name of a dtype of real numbers; empty for all others.
std::string numpy_name(const DLDataType& dtype) {
  const bool whole_bytes =
      dtype.bits == 8 || dtype.bits == 16 || dtype.bits == 32 || dtype.bits == 64;
  if (dtype.lanes != 1 || !whole_bytes) return {};
  const std::string bits = std::to_string(dtype.bits);
  if (dtype.code == kDLInt) return "int" + bits;
  if (dtype.code == kDLUInt) return "uint" + bits;
  if (dtype.code == kDLFloat && dtype.bits > 8) return "float" + bits;
  return dtype.code == kDLBool && dtype.bits == 8 ? "bool" : "";
}

}  // namespace

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

Borrowed from_dlpack(py::handle object, const std::string& what, const Accepted& accepted,
                     CallStream* where) {
  const Lent lent = lent_by(object, what, where);
  const std::optional<Dtype> known = dtype_of(lent.tensor->dtype, accepted);
  if (!known) wrong_dtype(what, in_words(lent.tensor->dtype), accepted);
  if (is_negative(object)) {
    throw Error(what +
                " has PyTorch's negative bit set: its memory holds the opposite of what it means; "
                "pass what its resolve_neg() gives");
  }
  Borrowed result{{lent.data(), 1, *known, lent.writable, lent.location},
                  lent.shape(),
                  lent.strides(),
                  lent.capsule};
  for (const std::int64_t length : result.shape)
    result.tensor.size *= static_cast<std::size_t>(length);
  return result;
}

py::array as_numpy(py::handle object, const std::string& what, bool widen) {
  const py::object resolved = is_negative(object) ? object.attr("resolve_neg")()
                                                  : py::reinterpret_borrow<py::object>(object);
  const Lent lent = lent_by(resolved, what, nullptr);
  const DLDataType& dtype = lent.tensor->dtype;
  const bool brain = dtype.code == kDLBfloat && dtype.bits == 16 && dtype.lanes == 1;
  if (brain && !widen) {
    throw TypeError(what +
                    ": expected real numbers in float64 or float32, got dtype bfloat16; pass "
                    "them as float32");
  }
  const std::string name = brain ? "uint16" : numpy_name(dtype);
  if (name.empty())
    throw TypeError(what + " has dtype " + in_words(dtype) + ", expected real numbers");
  std::vector<std::int64_t> strides = lent.strides();
  for (std::int64_t& stride : strides) stride *= dtype.bits / 8;
  py::array array(py::dtype(name), lent.shape(), strides, lent.data(), lent.capsule);
  py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  if (!brain) return array;
  // bfloat16 is the upper half of float32, for which NumPy needs no other package.
  const py::object bits = array.attr("astype")("uint32").attr("__lshift__")(16);
  return bits.attr("view")("float32");
}

bool glance_exchange(py::handle object, View& view, const Accepted& accepted, CallStream* where) {
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
  if (tensor.ndim < 0 || tensor.ndim > kMostAxes) return false;
  if (tensor.ndim > 0 && tensor.shape == nullptr) return false;
  for (int k = tensor.ndim; k-- > 0;) {
    const std::int64_t length = tensor.shape[k];
    const bool dense = tensor.strides == nullptr || tensor.strides[k] == size;
    if (length < 0 || (length != 1 && !dense) || !times(size, length)) return false;
  }
  if (tensor.data == nullptr && size > 0) return false;
  if (library.words != nullptr && library.words->negative(object)) return false;
  const auto start = reinterpret_cast<std::uintptr_t>(tensor.data);
  if (tensor.byte_offset > std::numeric_limits<std::uintptr_t>::max() - start) return false;
  char* data = memory_of(tensor);
  const std::uintptr_t within = info(*known).bytes - 1;
  if ((reinterpret_cast<std::uintptr_t>(data) & within) != 0) return false;
  if (device && !where->shares(object, tensor.device.device_id)) return false;
  view = {{data, static_cast<std::size_t>(size), *known, true}, tensor.shape, tensor.ndim};
  if (device) view.tensor.location.device = tensor.device.device_id;
  return true;
}

namespace {

constexpr Accepted kAnyDtype{true, Dtype::kBFloat16, false, true};

}  // namespace

bool TensorFingerprint::remember(py::handle object) {
  View view;
  const bool seen =
      library_of(Py_TYPE(object.ptr())).torch && glance_exchange(object, view, kAnyDtype, nullptr);
  if (!seen || view.rank > kMostAxes) return false;
  type_ = Py_TYPE(object.ptr());
  data_ = view.tensor.data;
  dtype_ = view.tensor.dtype;
  rank_ = view.rank;
  std::copy_n(view.shape, rank_, shape_);
  const TensorWords* words = library_of(type_).words;
  const bool kept = words->known() && words->keep(words->object_of(object), kept_) &&
                    words->data(words->object_of(object), info(dtype_).bytes) == data_;
  words_ = kept ? words : nullptr;
  return true;
}

bool TensorFingerprint::still(py::handle object) const {
  if (Py_TYPE(object.ptr()) != type_) return false;
  if (words_ != nullptr && words_->still(words_->object_of(object), kept_)) return true;
  // PyTorch is asked, which gives memory that is copied when written a copy of its own.
  void* data = nullptr;
  return asked(object, data) && data == data_;
}

bool TensorFingerprint::alike_words(const char* tensor, void*& data) const {
  if (words_ == nullptr || !words_->alike(tensor, kept_)) return false;
  const std::size_t width = info(dtype_).bytes;
  data = words_->data(tensor, width);
  if (data == nullptr) return data_ == nullptr;  // it has no elements then
  return reinterpret_cast<std::uintptr_t>(data) % width == 0;
}

bool TensorFingerprint::alike(py::handle object, void*& data) const {
  if (Py_TYPE(object.ptr()) != type_) return false;
  if (words_ != nullptr && alike_words(words_->object_of(object), data)) return true;
  return asked(object, data);
}

bool TensorFingerprint::asked(py::handle object, void*& data) const {
  View view;
  if (!glance_exchange(object, view, kAnyDtype, nullptr)) return false;
  data = view.tensor.data;
  return view.tensor.dtype == dtype_ && view.rank == rank_ &&
         std::equal(shape_, shape_ + rank_, view.shape);
}

bool counts_versions(py::handle object) { return library_of(Py_TYPE(object.ptr())).torch; }

void count_versions(const std::vector<py::handle>& tensors) {
  if (tensors.empty()) return;
  py::list all;
  for (const py::handle tensor : tensors) all.append(tensor);
  count_versions(all);
}

void count_versions(const py::list& tensors) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> storage;
  storage
      .call_once_and_store_result([]() -> py::object {
        return py::module_::import("torch.autograd.graph").attr("increment_version");
      })
      .get_stored()(tensors);
}

}  // namespace mdbopt::bind
