// trees_rates – the step size of each array: a number of any kind, or one for each coordinate.
#include <cmath>
#include <limits>

#include "../device.h"
#include "../error.h"
#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {

bool is_other_number(PyObject* node) {
  if (PyLong_Check(node)) return !PyBool_Check(node);
  const PyNumberMethods* methods = Py_TYPE(node)->tp_as_number;
  if (methods == nullptr || methods->nb_float == nullptr) return false;
  const py::object rank = py::getattr(node, "ndim", py::none());
  return rank.is_none() ? !py::hasattr(node, "__dlpack__") : rank.equal(py::int_(0));
}

std::vector<double> numbers_of(const View& view, const Place& place) {
  const Tensor& tensor = view.tensor;
  std::vector<double> numbers(tensor.size);
  const std::size_t width = info(tensor.dtype).bytes;
  std::vector<char> copied;
  const void* data = tensor.data;
  if (!tensor.place.on_cpu() && tensor.size > 0) {
    copied.resize(tensor.size * width);
    device_library().copy(place, copied.data(), data, copied.size());
    device_library().synchronize(place);
    data = copied.data();
  }
  for (std::size_t k = 0; k < tensor.size; ++k) {
    const bool wide = tensor.dtype == Dtype::kFloat64;
    numbers[k] =
        wide ? static_cast<const double*>(data)[k] : double{static_cast<const float*>(data)[k]};
  }
  return numbers;
}

void Leaves::read_lr(py::handle lr, const View& parameter, const Path& path, Job& job) {
  const std::size_t tree = trees_->names.size();
  const auto positive = [&](double value) {
    if (!std::isfinite(value) || value < 0.0) {
      throw Error(named(tree, path) + ": expected a finite number >= 0, got " +
                  py::str(py::float_(value)).cast<std::string>());
    }
    return value;
  };
  if (is_number(lr.ptr())) {
    const double value = PyFloat_AsDouble(lr.ptr());
    const bool failed = PyErr_Occurred() != nullptr;
    const bool too_large = failed && PyErr_ExceptionMatches(PyExc_OverflowError) != 0;
    PyErr_Clear();
    if (failed && !too_large) {
      throw TypeError(named(tree, path) + ": expected a number or an array, got " + kind_of(lr));
    }
    job.lr = positive(too_large ? std::numeric_limits<double>::infinity() : value);
    return;
  }
  const View view = look(lr, tree, path, where_);
  const bool near = view.tensor.place.on_cpu() || view.tensor.place.device == device_;
  if (near && view.rank == 0 && parameter.rank > 0 && !is_half(view.tensor.dtype)) {
    job.lr = positive(numbers_of(view, where_.place())[0]);
    return;
  }
  check(view, tree, parameter, path);
  job.step_sizes = view.tensor.data;
}

}  // namespace mdbopt::bind
