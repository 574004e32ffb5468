// argument_tree_look – one array of a leaf: looked at, in a form that the rule reads, and of the right kind.
#include <mdbopt/error.h>

#include <algorithm>

#include "../engine/check.h"
#include "dlpack.h"
#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {

void Leaves::hold(py::handle object) {
  Py_INCREF(object.ptr());
  held_.push_back(object.ptr());
}

// Finds a gradient or step sizes of another type as an array of the dtype that they are read in; not
// where that would change a number, or they are none.
void Leaves::convert(Found& found, py::handle object, std::size_t tree, const Path& path,
                     Dtype dtype) {
  const bool array = py::isinstance<py::array>(object) || py::hasattr(object, "__dlpack__");
  if (tree != kGrads && !array) return;
  const bool number = tree == rule_->stream_count + 2;  // a decay, for which dtype is its own
  const Dtype wanted = number || first_ ? dtype : expected(tree, dtype);
  const py::object exact = py::module_::import("mdbopt._foreign")
                               .attr("exact")(object, named(tree, path), info(wanted).name);
  found.given = !exact.is_none() && glance(exact, found.view, {true, Dtype::kBFloat16});
  if (!found.given) return;
  hold(exact);
  recallable_ = false;
}

void Leaves::look(Found& found, py::handle object, std::size_t tree, const Path& path,
                  CallStream& where, Dtype dtype) {
  found.given = true;
  found.strides = nullptr;
  if (glance(object, found.view, accepted_, &where)) {
    hold(object);
    return;
  }
  try {
    borrowed_.push_back(borrow(object, named(tree, path), accepted_, &where));
  } catch (const TypeError&) {
    const bool read =
        tree == kGrads || tree == rule_->stream_count || tree == rule_->stream_count + 2;
    found.given = false;
    if (read) convert(found, object, tree, path, dtype);
    if (!found.given) throw;
    return;
  }
  const Borrowed& array = borrowed_.back();
  const std::size_t width = info(array.tensor.dtype).bytes;
  const auto address = reinterpret_cast<std::uintptr_t>(array.tensor.data);
  found.view = {array.tensor, array.shape.data(), static_cast<int>(array.shape.size())};
  if (!array.row_major() || (array.tensor.size > 0 && address % width != 0)) {
    std::vector<std::int64_t>& strides = strides_.emplace_back(array.strides);
    for (std::int64_t& stride : strides) stride *= static_cast<std::int64_t>(width);
    if (py::isinstance<py::array>(object)) {  // whose strides may be fractions of an element
      const auto numpy = py::reinterpret_borrow<py::array>(object);
      std::copy_n(numpy.strides(), strides.size(), strides.begin());
    }
    found.strides = strides.data();
  }
  hold(object);
}

// Gradients and step sizes may be of a narrower dtype, on the CPU.
bool Leaves::fits(const Found& found, std::size_t tree, const Found& parameter) const {
  const View& view = found.view;
  const Dtype dtype = parameter.view.tensor.dtype;
  const Dtype wanted = expected(tree, dtype);
  const bool widened = (tree == kGrads || tree == rule_->stream_count) && device_ < 0;
  bool same = (view.tensor.dtype == wanted || (widened && widens(view.tensor.dtype, wanted))) &&
              view.rank == parameter.view.rank && (view.tensor.writable || !written_[tree]) &&
              view.tensor.location.device == device_ &&
              (tree != rule_->stream_count + 1 || dtype == Dtype::kFloat32);
  for (int k = 0; same && k < view.rank; ++k) same = view.shape[k] == parameter.view.shape[k];
  return same;
}

void Leaves::refuse(const Found& found, std::size_t tree, const Found& parameter,
                    const Path& path) const {
  const auto& [tensor, shape, rank, strides] = found.view;
  const Dtype dtype = parameter.view.tensor.dtype;
  const Dtype wanted = expected(tree, dtype);
  if (tensor.location.device != device_) {
    throw Error(named(tree, path) + " lives on " + memory_name(tensor.location.device) +
                ", expected " + memory_name(device_) + " (as the first of " + name_of(0) + ")");
  }
  if (tensor.dtype != wanted) {
    const std::string name = info(wanted).name;
    const bool rounds = tree == kGrads && !widens(tensor.dtype, wanted);
    throw TypeError(named(tree, path) + " has dtype " + info(tensor.dtype).name + ", expected " +
                    name +
                    (rounds ? ", to which its numbers would be rounded: pass it as " + name : ""));
  }
  if (tree == rule_->stream_count + 1 && dtype != Dtype::kFloat32) {
    throw TypeError(named(tree, path) + ": a bfloat16 copy needs float32 parameters, got " +
                    info(dtype).name);
  }
  if (rank != parameter.view.rank || !std::equal(shape, shape + rank, parameter.view.shape)) {
    throw Error(named(tree, path) + " has shape " + in_words(shape, rank) + ", expected " +
                in_words(parameter.view.shape, parameter.view.rank) + " (as " +
                path.below(name_of(0)) + ")");
  }
  throw Error(named(tree, path) + " is read-only, expected a writable array");
}

}  // namespace mdbopt::bind
