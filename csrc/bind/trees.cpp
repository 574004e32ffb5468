// trees – all trees are walked together, params first: it says what the others must look like.
#include "dlpack.h"
#include "nodes.h"

#include <algorithm>

#include "../check.h"
#include "../error.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

// So few are updated without holding their arrays; without the interpreter's lock none are.
#ifdef Py_GIL_DISABLED
constexpr std::size_t kFewElements = 0;
#else
constexpr std::size_t kFewElements = 1 << 15;
#endif

}  // namespace

std::string Path::below(const std::string& root) const {
  if (above == nullptr) return root;
  const std::string inner = key ? py::repr(key).cast<std::string>() : std::to_string(index);
  return above->below(root) + "[" + inner + "]";
}

const std::string& Leaves::name_of(std::size_t tree) const {
  static const std::string lr = "lr";
  static const std::string copy = "copy";
  if (tree < trees_->names.size()) return trees_->names[tree];
  return tree == trees_->names.size() ? lr : copy;
}

std::string Leaves::named(std::size_t tree, const Path& path) const {
  return trees_->optimizer + ": " + path.below(name_of(tree));
}

void Leaves::release() {
  for (PyObject* object : held_) Py_DECREF(object);
  held_.clear();
  counting_versions.clear();
  borrowed_.clear();
}

Leaves::Nodes Leaves::roots() const {
  Nodes nodes{{}, trees_->roots.size()};
  for (std::size_t k = 0; k < nodes.count; ++k) nodes.at[k] = trees_->roots[k].ptr();
  nodes.lr() = trees_->lr.is_none() ? nullptr : trees_->lr.ptr();
  nodes.copy() = trees_->copy.is_none() ? nullptr : trees_->copy.ptr();
  return nodes;
}

void Leaves::read(const Description& rule, const Trees& trees, const Accepted& accepted) {
  rule_ = &rule;
  trees_ = &trees;
  accepted_ = accepted;
  release();
  hold_ = kFewElements == 0 || elements > kFewElements;
  if (!recall_all()) read_all();
}

void Leaves::read_all() {
  release();
  jobs.clear();
  pointers_.clear();
  memory_.clear();
  seen_.clear();
  where_ = {};
  device_ = -1;
  elements = 0;
  first_ = true;
  recallable_ = true;
  can_recall_ = false;
  visit(roots(), Path{});
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    jobs[k].streams = pointers_.data() + k * rule_->stream_count;
  }
  check_separate();
  can_recall_ = recallable_;
}

// What each tree must bring for parameters like the first one.
void Leaves::expect(const Tensor& parameter) {
  dtype = parameter.dtype;
  device_ = parameter.place.device;
  for (std::size_t k = 0; k < rule_->stream_count; ++k) {
    expected_[k] = stored_dtype(rule_->streams[k].storage, dtype);
    written_[k] = rule_->streams[k].role != Role::kIn;
  }
  expected_[rule_->stream_count] = arithmetic_dtype(dtype);
  written_[rule_->stream_count] = false;
  expected_[rule_->stream_count + 1] = Dtype::kBFloat16;
  written_[rule_->stream_count + 1] = true;
}

void Leaves::visit(const Nodes& nodes, const Path& path) {
  PyObject* node = nodes.at[0];
  const bool sequence = is_sequence(node);
  const bool is_leaf = !sequence && !PyDict_Check(node);
  if (nodes.at[kGrads] == Py_None) {
    if (!is_leaf || path.above == nullptr) {
      throw TypeError(
          named(kGrads, path) + ": expected " +
          (is_leaf ? std::string("an array") : "the structure of " + path.below(name_of(0))) +
          ", got None");
    }
    recallable_ = false;
    return;
  }
  if (Py_EnterRecursiveCall(" while reading nested parameters") != 0) throw py::error_already_set();
  nodes.hold();
  const struct Leave {
    const Nodes& nodes;
    ~Leave() {
      nodes.release();
      Py_LeaveRecursiveCall();
    }
  } leave{nodes};
  if (is_leaf) {
    leaf(nodes, path);
  } else if (sequence) {
    visit_sequence(nodes, path, length(node));
  } else {
    visit_dict(nodes, path);
  }
}

// Throws when a container has another size than at first: an array's own code changed it.
void Leaves::check_size(const Nodes& nodes, std::size_t tree, Py_ssize_t size,
                        const Path& path) const {
  PyObject* node = nodes.at[tree];
  if ((PyDict_Check(node) ? PyDict_Size(node) : length(node)) != size) {
    throw Error(named(tree, path) + " changed its size while it was read");
  }
}

void Leaves::visit_sequence(const Nodes& nodes, const Path& path, Py_ssize_t size) {
  const std::size_t trees = nodes.count + 2;
  bool spread[kMostTrees] = {};  // a list here, too; else the node holds for all below
  std::vector<double> rates;
  for (std::size_t k = 1; k < trees; ++k) {
    PyObject* node = nodes.at[k];
    if (node == nullptr) continue;
    spread[k] = is_sequence(node);
    if (spread[k] && length(node) == size) continue;
    if (k == nodes.count && is_number(node)) continue;
    if (k == nodes.count && !spread[k] && !PyDict_Check(node)) {
      CallPlace own;  // they are numbers: wherever they live, the host needs them
      const View view = look(node, k, path, own);
      if (is_half(view.tensor.dtype)) {
        throw TypeError(named(k, path) + " has dtype " + info(view.tensor.dtype).name +
                        ", expected float64 or float32");
      }
      if (view.rank != 1 || view.shape[0] != size) {
        throw Error(named(k, path) + " has shape " + in_words(view.shape, view.rank) +
                    ", expected (" + std::to_string(size) + ",), one for each array of " +
                    path.below(name_of(0)));
      }
      rates = numbers_of(view, own.place());
      continue;
    }
    throw Error(named(k, path) + ": expected " + std::to_string(size) + " items as " +
                path.below(name_of(0)) + ", got " +
                (spread[k] ? std::to_string(length(node)) : kind_of(node)));
  }
  for (Py_ssize_t i = 0; i < size; ++i) {
    Nodes below = nodes;
    for (std::size_t k = 0; k < trees; ++k) {
      if (k > 0 && !spread[k]) continue;
      check_size(nodes, k, size, path);
      below.at[k] = item(nodes.at[k], i);
    }
    py::object rate;
    if (!rates.empty()) {
      rate = py::float_(rates[static_cast<std::size_t>(i)]);
      below.lr() = rate.ptr();
    }
    visit(below, {&path, {}, i});
  }
}

void Leaves::visit_dict(const Nodes& nodes, const Path& path) {
  const Py_ssize_t size = PyDict_Size(nodes.at[0]);
  const std::size_t trees = nodes.count + 2;
  for (std::size_t k = 1; k < trees; ++k) {
    PyObject* node = nodes.at[k];
    if (node == nullptr || (k == nodes.count && is_number(node))) continue;
    if (PyDict_Check(node) && PyDict_Size(node) == size) continue;
    throw Error(named(k, path) + ": expected a dict with the " + std::to_string(size) +
                " keys of " + path.below(name_of(0)) + ", got " +
                (PyDict_Check(node) ? std::to_string(PyDict_Size(node)) : kind_of(node)));
  }
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; PyDict_Next(nodes.at[0], &at, &key, &value) != 0;) {
    Nodes below = nodes;
    check_size(nodes, 0, size, path);
    below.at[0] = value;
    const py::object held_key = py::reinterpret_borrow<py::object>(key);
    const Path here{&path, key};
    for (std::size_t k = 1; k < trees; ++k) {
      if (nodes.at[k] == nullptr || !PyDict_Check(nodes.at[k])) continue;
      below.at[k] = PyDict_GetItemWithError(nodes.at[k], key);
      if (below.at[k] != nullptr) continue;
      if (PyErr_Occurred() != nullptr) throw py::error_already_set();
      throw Error(named(k, here) + " is missing, expected the keys of " + path.below(name_of(0)));
    }
    visit(below, here);
  }
}

View Leaves::look(py::handle object, std::size_t tree, const Path& path, CallPlace& where) {
  View view;
  if (!glance(object, view, accepted_, &where)) {
    borrowed_.push_back(borrow(object, named(tree, path), accepted_, &where));
    const Borrowed& array = borrowed_.back();
    view = {array.tensor, array.shape.data(), static_cast<int>(array.shape.size()),
            array.row_major() ? nullptr : array.strides.data()};
  }
  Py_INCREF(object.ptr());
  held_.push_back(object.ptr());
  return view;
}

void Leaves::leaf(const Nodes& nodes, const Path& path) {
  const View parameter = look(nodes.at[0], 0, path, where_);
  if (first_) expect(parameter.tensor);
  first_ = false;
  check(parameter, 0, parameter, path);
  pointers_.push_back(parameter.tensor.data);
  for (std::size_t k = 1; k < nodes.count; ++k) {
    const View view = look(nodes.at[k], k, path, where_);
    check(view, k, parameter, path);
    pointers_.push_back(view.tensor.data);
  }
  Job job{nullptr, parameter.tensor.size};
  if (nodes.lr() != nullptr) read_lr(nodes.lr(), parameter, path, job);
  if (nodes.copy() != nullptr) {
    const Accepted others = accepted_;
    accepted_.bits = Dtype::kBFloat16;
    const View view = look(nodes.copy(), nodes.count + 1, path, where_);
    accepted_ = others;
    check(view, nodes.count + 1, parameter, path);
    job.copy = view.tensor.data;
    if (counts_versions(nodes.copy())) counting_versions.push_back(nodes.copy());
  }
  jobs.push_back(job);
  elements += job.size;
  if (recallable_) remember(nodes);
  if (counts_versions(nodes.at[0])) counting_versions.push_back(nodes.at[0]);
}

bool Leaves::fits(const View& view, std::size_t tree, const View& parameter) const {
  bool same = (view.tensor.dtype == expected_[tree]) & (view.rank == parameter.rank) &
              (view.strides == nullptr) & (parameter.strides == nullptr) &
              (view.tensor.writable | !written_[tree]) & (view.tensor.place.device == device_) &
              (tree != rule_->stream_count + 1 || dtype == Dtype::kFloat32);
  for (int k = 0; same && k < view.rank; ++k) same = view.shape[k] == parameter.shape[k];
  return same;
}

// Says what does not fit; arrays that all have the same strides do.
void Leaves::refuse(const View& view, std::size_t tree, const View& parameter,
                    const Path& path) const {
  const auto& [tensor, shape, rank, strides] = view;
  if (tensor.place.device != device_) {
    throw Error(named(tree, path) + " lives on " + memory_name(tensor.place.device) +
                ", expected " + memory_name(device_) + " (as the first of " + name_of(0) + ")");
  }
  if (tensor.dtype != expected_[tree]) {
    throw TypeError(named(tree, path) + " has dtype " + info(tensor.dtype).name + ", expected " +
                    info(expected_[tree]).name);
  }
  if (tree == rule_->stream_count + 1 && dtype != Dtype::kFloat32) {
    throw TypeError(named(tree, path) + ": a bfloat16 copy needs float32 parameters, got " +
                    info(dtype).name);
  }
  if (rank != parameter.rank || !std::equal(shape, shape + rank, parameter.shape)) {
    throw Error(named(tree, path) + " has shape " + in_words(shape, rank) + ", expected " +
                in_words(parameter.shape, parameter.rank) + " (as " + path.below(name_of(0)) + ")");
  }
  if (!same_order(view, parameter)) {
    throw Error(named(tree, path) + " orders its elements in memory unlike " +
                path.below(name_of(0)) + ", expected the same strides");
  }
  if (written_[tree] && !tensor.writable) {
    throw Error(named(tree, path) + " is read-only, expected a writable array");
  }
}

}  // namespace mdbopt::bind
