// numpy – the only file that knows how NumPy lays out its arrays.
#include "numpy.h"

#include <algorithm>
#include <atomic>

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

// NumPy's number of the bfloat16 of ml_dtypes, once an array of it has been seen.
std::atomic<int> g_bfloat16_number{-1};

std::optional<Dtype> dtype_of(int number, const Accepted& accepted) {
  using py::detail::npy_api;
  constexpr int kHalfNumber = 23;  // NPY_HALF
  if (number == npy_api::NPY_DOUBLE_) return Dtype::kFloat64;
  if (number == npy_api::NPY_FLOAT_) return Dtype::kFloat32;
  if (number == npy_api::NPY_USHORT_) return accepted.bits;
  if (number == npy_api::NPY_UBYTE_ && accepted.codes) return Dtype::kUint8;
  if (!accepted.half) return {};
  if (number == kHalfNumber) return Dtype::kFloat16;
  if (number == g_bfloat16_number.load(std::memory_order_relaxed)) return Dtype::kBFloat16;
  return {};
}

std::optional<Dtype> dtype_of(const py::array& array, const Accepted& accepted) {
  const py::dtype dtype = array.dtype();
  const bool native = dtype.byteorder() == '=' || dtype.byteorder() == '|';
  const bool opaque = dtype.kind() == 'V' && dtype.itemsize() == 2;
  if (opaque && py::str(dtype).cast<std::string>() == "bfloat16") g_bfloat16_number = dtype.num();
  return native ? dtype_of(dtype.num(), accepted) : std::nullopt;
}

}  // namespace

py::dtype numpy_dtype(Dtype dtype) {
  if (dtype == Dtype::kBFloat16) {
    return py::dtype::from_args(py::module_::import("ml_dtypes").attr("bfloat16"));
  }
  return py::dtype(info(dtype).name);
}

bool has_dtype(const py::array& array, const Accepted& accepted) {
  return dtype_of(array, accepted).has_value();
}

bool is_plain_numpy(py::handle object) {
  return Py_TYPE(object.ptr()) == py::detail::npy_api::get().PyArray_Type_;
}

Borrowed from_numpy(const py::array& array, const std::string& what, const Accepted& accepted) {
  Borrowed result;
  const std::optional<Dtype> known = dtype_of(array, accepted);
  if (!known) {
    const char order = array.dtype().byteorder();
    wrong_dtype(what,
                order == '=' || order == '|' ? py::str(array.dtype()).cast<std::string>()
                                             : "of foreign byte order",
                accepted);
  }
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

bool ArrayFingerprint::remember(py::handle object) {
  if (!is_plain_numpy(object)) return false;
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

}  // namespace mdbopt::bind
