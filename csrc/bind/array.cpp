// array – one front door for NumPy and DLPack, and what both must fulfil.
#include "array.h"

#include <algorithm>

#include "../error.h"
#include "dlpack.h"
#include "numpy.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

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

}  // namespace

std::string type_name(py::handle object) {
  return py::str(py::type::handle_of(object).attr("__name__"));
}

void wrong_dtype(const std::string& what, const std::string& came, const Accepted& accepted) {
  throw TypeError(what + " has dtype " + came + ", expected float64" +
                  (accepted.half ? ", float32, bfloat16 or float16" : " or float32"));
}

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

bool glance(py::handle object, View& view, const Accepted& accepted, CallPlace* where) {
  if (is_plain_numpy(object)) {
    return glance_numpy(object, view, accepted);
  }
  return glance_exchange(object, view, accepted, where);
}

Borrowed borrow(py::handle object, const std::string& what, const Accepted& accepted,
                CallPlace* where) {
  static const py::object ndarray = py::module_::import("numpy").attr("ndarray");
  if (!py::type::handle_of(object).is(ndarray) && py::hasattr(object, "mask")) {
    throw TypeError(what + ": expected an array without a mask, got " + type_name(object));
  }
  Borrowed array = py::isinstance<py::array>(object)
                       ? from_numpy(py::reinterpret_borrow<py::array>(object), what, accepted)
                       : from_dlpack(object, what, accepted, where);
  if (!accepted.any_layout || !array.tensor.place.on_cpu()) check_layout(array, what);
  return array;
}

}  // namespace mdbopt::bind
