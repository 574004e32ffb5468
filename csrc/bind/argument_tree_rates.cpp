// argument_tree_rates – the step size of each array: a number of any kind, or one for each coordinate.
#include <mdbopt/error.h>

#include <cmath>
#include <limits>

#include "../runtime/device.h"
#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

bool is_positive(double value) { return std::isfinite(value) && value >= 0.0; }

[[noreturn]] void not_positive(double value, const std::string& what) {
  throw Error(what + ": expected a finite number >= 0, got " +
              py::str(py::float_(value)).cast<std::string>());
}

}  // namespace

bool is_other_number(PyObject* node) {
  if (PyLong_Check(node)) return !PyBool_Check(node);
  const PyNumberMethods* methods = Py_TYPE(node)->tp_as_number;
  if (methods == nullptr || methods->nb_float == nullptr) return false;
  const py::object rank = py::getattr(node, "ndim", py::none());
  return rank.is_none() ? !py::hasattr(node, "__dlpack__") : rank.equal(py::int_(0));
}

std::vector<double> numbers_of(const Found& found, const Location& location) {
  const Tensor& tensor = found.view.tensor;
  std::vector<double> numbers(tensor.size);
  if (tensor.size == 0) return numbers;
  const auto width = static_cast<std::int64_t>(info(tensor.dtype).bytes);
  const std::int64_t size = found.view.rank == 0 ? 1 : found.view.shape[0];
  Layout layout{tensor.data, tensor.dtype, 1, &size, found.strides ? found.strides : &width};
  std::vector<char> copied;
  if (!tensor.location.on_cpu()) {
    copied.resize(tensor.size * static_cast<std::size_t>(width));
    device_library().copy(location, copied.data(), tensor.data, copied.size());
    device_library().synchronize(location);
    layout.data = copied.data();
  }
  load(layout, 0, tensor.size, Dtype::kFloat64, numbers.data());
  return numbers;
}

// A finite number that is not negative.
double Leaves::number(py::handle node, std::size_t tree, const Path& path) const {
  if (!is_number(node.ptr())) {
    throw TypeError(named(tree, path) + ": expected a number, got " + kind_of(node));
  }
  double value = PyFloat_AsDouble(node.ptr());
  if (PyErr_Occurred() != nullptr) {
    const bool too_large = PyErr_ExceptionMatches(PyExc_OverflowError) != 0;
    PyErr_Clear();
    if (!too_large) {
      throw TypeError(named(tree, path) + ": expected a number, got " + kind_of(node));
    }
    value = std::numeric_limits<double>::infinity();
  }
  if (!is_positive(value)) not_positive(value, named(tree, path));
  return value;
}

// A number in the job, or an array of one for each coordinate.
void Leaves::read_lr(Found& found, py::handle lr, const Found& parameter, const Path& path,
                     Job& job) {
  const std::size_t tree = trees_->names.size();
  if (is_number(lr.ptr())) {
    job.lr = number(lr, tree, path);
    return;
  }
  look(found, lr, tree, path, where_, parameter.view.tensor.dtype);
  const Tensor& tensor = found.view.tensor;
  const bool near = tensor.location.on_cpu() || tensor.location.device == device_;
  if (near && found.view.rank == 0 && parameter.view.rank > 0) {
    job.lr = numbers_of(found, where_.location())[0];
    if (!is_positive(job.lr)) not_positive(job.lr, named(tree, path));
    found.given = false;
    return;
  }
  check(found, tree, parameter, path);
}

}  // namespace mdbopt::bind
