// array – one front door for NumPy and DLPack, and what both must fulfil.
#include "array.h"

#include <mdbopt/error.h>
#include <pybind11/gil_safe_call_once.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <numeric>
#include <utility>

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

// What is wrong with how an array lies in memory, in words; empty: nothing.
std::string fault_of(const Borrowed& array) {
  if (array.tensor.size == 0) return {};
  for (std::size_t k = 0; k < array.shape.size(); ++k) {
    if (array.shape[k] > 1 && array.strides[k] <= 0) {
      return std::string(" has a ") + (array.strides[k] < 0 ? "negative" : "zero (broadcast)") +
             " stride, expected a dense array; use a dense copy in its place";
    }
  }
  if (!dense(array))
    return " has gaps between its elements, expected a dense array; use a dense copy in its place";
  if (reinterpret_cast<std::uintptr_t>(array.tensor.data) % info(array.tensor.dtype).bytes != 0)
    return " is not aligned to its element size, expected an aligned array; use an aligned copy in "
           "its place";
  return {};
}

// Whether an array's memory is walked as another's.
bool in_order(const Borrowed& array, const Borrowed* order) {
  if (order == nullptr || (array.row_major() && order->row_major())) return true;
  return array.shape == order->shape && same_order(view_of(array), view_of(*order));
}

// The axes of an array from the one that memory steps through last.
std::vector<std::size_t> axes_of(const Borrowed& array) {
  std::vector<std::size_t> axes(array.shape.size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  std::ranges::sort(axes, {}, [&](std::size_t k) { return std::pair(-array.strides[k], k); });
  return axes;
}

}  // namespace

std::string in_words(const std::int64_t* shape, int rank) {
  std::string text = "(";
  for (int k = 0; k < rank; ++k) text += (k > 0 ? ", " : "") + std::to_string(shape[k]);
  return text + (rank == 1 ? ",)" : ")");
}

View view_of(const Borrowed& array) {
  return {array.tensor, array.shape.data(), static_cast<int>(array.shape.size()),
          array.strides.data()};
}

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

bool glance(py::handle object, View& view, const Accepted& accepted, CallStream* where) {
  if (is_plain_numpy(object)) {
    return glance_numpy(object, view, accepted);
  }
  return glance_exchange(object, view, accepted, where);
}

Borrowed borrow(py::handle object, const std::string& what, const Accepted& accepted,
                CallStream* where) {
  const bool numpy = py::isinstance<py::array>(object);
  if (numpy && !is_plain_numpy(object) && py::hasattr(object, "mask")) {
    throw TypeError(what + ": expected an array without a mask, got " + type_name(object));
  }
  Borrowed array = numpy ? from_numpy(py::reinterpret_borrow<py::array>(object), what, accepted)
                         : from_dlpack(object, what, accepted, where);
  if (accepted.any_layout && array.tensor.location.on_cpu()) return array;
  const std::string fault = fault_of(array);
  if (!fault.empty()) throw Error(what + fault);
  return array;
}

Borrowed read(py::handle object, const std::string& what, const Wanted& wanted,
              const Accepted& accepted, CallStream* where) {
  // NumPy need not know bfloat16, so nothing is converted to half precision.
  const bool half = wanted.dtype && is_half(*wanted.dtype);
  if (cuda_device_of(object) || (half && !py::isinstance<py::array>(object)))
    return borrow(object, what, accepted, where);
  // The forms that numbers come in are NumPy's and pandas', best told apart in Python.
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::module_> storage;
  const py::module_& forms =
      storage.call_once_and_store_result([] { return py::module_::import("mdbopt._arrays"); })
          .get_stored();
  const py::array numbers = forms.attr("real_array")(what, object, wanted.dtype.has_value());
  if (wanted.size && static_cast<std::size_t>(numbers.size()) != *wanted.size) {
    throw Error(what + " has " + std::to_string(numbers.size()) + " elements, expected " +
                std::to_string(*wanted.size) + wanted.like);
  }
  // What stands for another dtype is no whole number.
  const bool bits = numbers.dtype().kind() == 'u' && numbers.itemsize() == 2;
  if (accepted.bits && bits) return borrow(numbers, what, accepted);
  if (has_dtype(numbers, accepted)) {
    Borrowed as_it_is = from_numpy(numbers, what, accepted);
    const bool fits = !wanted.dtype || as_it_is.tensor.dtype == *wanted.dtype;
    if (fits && fault_of(as_it_is).empty() && in_order(as_it_is, wanted.order)) return as_it_is;
  }
  py::object dtype = py::none();
  py::object axes = py::none();
  if (wanted.dtype) dtype = half ? numbers.dtype() : numpy_dtype(*wanted.dtype);
  const Borrowed* order = wanted.order;
  const bool arranged =
      order != nullptr && std::equal(order->shape.begin(), order->shape.end(), numbers.shape(),
                                     numbers.shape() + numbers.ndim());
  if (arranged) axes = py::cast(axes_of(*order));
  Borrowed copy = from_numpy(forms.attr("dense")(what, numbers, dtype, axes), what, accepted);
  if (arranged) {
    copy.shape = order->shape;
    copy.strides = order->strides;
  }
  return copy;
}

}  // namespace mdbopt::bind
