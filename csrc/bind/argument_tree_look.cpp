// argument_tree_look – one array of a leaf: looked at, in a form that the rule reads, and of the right kind.
#include <mdbopt/error.h>

#include <algorithm>
#include <array>

#include "../base/block_codes.h"
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
  const bool number = tree == tree_of(kDecay);  // a decay, for which dtype is its own
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
  const Accepted accepted = accepting(tree);
  if (glance(object, found.view, accepted, &where)) {
    hold(object);
    return;
  }
  try {
    borrowed_.push_back(borrow(object, named(tree, path), accepted, &where));
  } catch (const TypeError&) {
    const bool read = tree == kGrads || tree == tree_of(kRates) || tree == tree_of(kDecay);
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

// What a tree's arrays may be of, where numbers stand for other numbers.
Accepted Leaves::accepting(std::size_t tree) const {
  Accepted accepted = accepted_;
  const bool of_state = tree > kGrads && tree < stream_count();
  const Format format = of_state ? trees_->formats[tree] : Format::kPlain;
  accepted.codes = is_codes(format);
  const bool halves = tree == tree_of(kCopy) || tree == tree_of(kLow);
  if (halves || format == Format::kBFloat16) accepted.bits = Dtype::kBFloat16;
  return accepted;
}

namespace {

// The axes of an array that stores elements of a shape in codes.
std::array<std::int64_t, 2> axes_of_codes(std::size_t size) {
  return {static_cast<std::int64_t>(blocks_of(size)), static_cast<std::int64_t>(kBlockBytes)};
}

}  // namespace

// Gradients and, on the CPU, step sizes may be of a narrower dtype, and gradients of the one that half-precision
// parameters are computed in.
bool Leaves::fits(const Found& found, std::size_t tree, const Found& parameter) const {
  const View& view = found.view;
  const Dtype dtype = parameter.view.tensor.dtype;
  const Dtype wanted = expected(tree, dtype);
  const Dtype widest = tree == kGrads ? arithmetic_dtype(wanted) : wanted;
  // A device opens half precision to float32, as a format.
  const bool read = tree == kGrads ? device_ < 0 || widest == Dtype::kFloat32
                                   : tree == tree_of(kRates) && device_ < 0;
  const bool fitting = view.tensor.dtype == wanted || (read && widens(view.tensor.dtype, widest));
  if (!fitting || (!view.tensor.writable && written_[tree]) ||
      view.tensor.location.device != device_ ||
      (tree == tree_of(kCopy) && dtype != Dtype::kFloat32)) {
    return false;
  }
  if (wanted == Dtype::kUint8) {
    const auto axes = axes_of_codes(parameter.view.tensor.size);
    return view.rank == 2 && std::equal(axes.begin(), axes.end(), view.shape);
  }
  const auto same = [&](int from) {
    return view.rank == parameter.view.rank &&
           std::equal(view.shape + from, view.shape + view.rank, parameter.view.shape + from);
  };
  return by_rows_ && tree == kGrads ? same(1) && view.shape[0] == rows_ : same(0);
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
    const bool rounds = tree == kGrads && !widens(tensor.dtype, arithmetic_dtype(wanted));
    throw TypeError(named(tree, path) + " has dtype " + info(tensor.dtype).name + ", expected " +
                    name +
                    (rounds ? ", to which its numbers would be rounded: pass it as " + name : ""));
  }
  if (tree == tree_of(kCopy) && dtype != Dtype::kFloat32) {
    throw TypeError(named(tree, path) + ": a bfloat16 copy needs float32 parameters, got " +
                    info(dtype).name);
  }
  const std::vector<std::int64_t> needed = shape_of(tree, parameter);
  if (!std::equal(shape, shape + rank, needed.begin(), needed.end())) {
    std::string why = " (as " + path.below(name_of(0)) + ")";
    if (wanted == Dtype::kUint8) {
      why = ", blocks of codes for the " + std::to_string(parameter.view.tensor.size) +
            " elements of " + path.below(name_of(0));
    } else if (by_rows_ && tree == kGrads) {
      why = ", a row for each of " + path.below(name_of(tree_of(kRows)));
    }
    throw Error(named(tree, path) + " has shape " + in_words(shape, rank) + ", expected " +
                in_words(needed.data(), static_cast<int>(needed.size())) + why);
  }
  throw Error(named(tree, path) + " is read-only, expected a writable array");
}

std::vector<std::int64_t> Leaves::shape_of(std::size_t tree, const Found& parameter) const {
  if (expected(tree, parameter.view.tensor.dtype) == Dtype::kUint8) {
    const auto axes = axes_of_codes(parameter.view.tensor.size);
    return {axes.begin(), axes.end()};
  }
  std::vector<std::int64_t> shape(parameter.view.shape, parameter.view.shape + parameter.view.rank);
  if (by_rows_ && tree == kGrads) shape[0] = rows_;
  return shape;
}

// What a format asks of a parameter, and of its own array.
void Leaves::check_formats(const Path& path) const {
  const Dtype dtype = found_[0].view.tensor.dtype;
  const bool master = trees_->formats[0] == Format::kRemainder;
  if (dtype == Dtype::kFloat64 || (master && dtype != Dtype::kBFloat16)) {
    throw TypeError(named(0, path) + " has dtype " + info(dtype).name + ", expected " +
                    (master ? "bfloat16, whose low bits the state holds"
                            : "float32, bfloat16 or float16 for a state in another format"));
  }
  for (std::size_t k = 2; k <= tree_of(kLow); ++k) {
    const bool by_number =
        k == tree_of(kLow) || (k < stream_count() && is_codes(trees_->formats[k]));
    if (by_number && found_[k].given && found_[k].strides != nullptr) {
      throw Error(named(k, path) + " is not in row-major order, expected the array of init");
    }
  }
}

}  // namespace mdbopt::bind
