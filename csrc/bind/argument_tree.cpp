// argument_tree – all trees are walked together, params first: it says what the others must look like.
#include <mdbopt/error.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "../engine/check.h"
#include "dlpack.h"
#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

// So few are updated without holding their arrays; without the interpreter's lock none are.
#ifdef Py_GIL_DISABLED
constexpr std::size_t kFewElements = 0;
#else
constexpr std::size_t kFewElements = 1 << 15;
#endif

std::size_t leaves_below(Containers& containers, PyObject* node) {
  std::size_t count = 0;
  if (is_sequence(node)) {
    for (Py_ssize_t k = 0; k < length(node); ++k) {
      PyObject* below = containers.item(node, k);
      if (below != nullptr) count += leaves_below(containers, below);
    }
    return count;
  }
  if (!PyDict_Check(node)) return node == Py_None ? 0 : 1;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; containers.next(node, at, key, value);) {
    count += leaves_below(containers, value);
  }
  return count;
}

// The leaves of a dict before a key that it has.
std::size_t leaves_before(Containers& containers, PyObject* dict, PyObject* wanted) {
  std::size_t count = 0;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; containers.next(dict, at, key, value);) {
    const int same = PyObject_RichCompareBool(key, wanted, Py_EQ);
    if (same < 0) throw py::error_already_set();
    if (same != 0) break;
    count += leaves_below(containers, value);
  }
  return count;
}

}  // namespace

std::string Path::below(const std::string& root) const {
  if (above == nullptr) return root;
  const std::string inner = key ? py::repr(key).cast<std::string>() : std::to_string(index);
  return above->below(root) + "[" + inner + "]";
}

const std::string& Leaves::name_of(std::size_t tree) const {
  static const std::string others[] = {"lr", "copy", "state.low", "weight_decay", "rows"};
  const std::size_t count = trees_->names.size();
  return tree < count ? trees_->names[tree] : others[tree - count];
}

std::string Leaves::named(std::size_t tree, const Path& path) const {
  return trees_->optimizer + ": " + path.below(name_of(tree));
}

bool Leaves::are_many() const { return kFewElements == 0 || elements > kFewElements; }

void Leaves::release() {
  for (PyObject* object : held_) Py_DECREF(object);
  held_.clear();
  containers_.release();
  counting_versions.clear();
  borrowed_.clear();
  strides_.clear();
}

Leaves::Nodes Leaves::roots() const {
  Nodes nodes{{}, trees_->roots.size()};
  for (std::size_t k = 0; k < nodes.count; ++k) nodes.at[k] = trees_->roots[k].ptr();
  const auto given = [](const py::object& tree) { return tree.is_none() ? nullptr : tree.ptr(); };
  nodes.lr() = given(trees_->lr);
  nodes.copy() = given(trees_->copy);
  nodes.low() = given(trees_->low);
  nodes.decay() = given(trees_->decay);
  nodes.rows() = given(trees_->rows);
  return nodes;
}

void Leaves::read(const Description& rule, const ArgumentTrees& trees, const Accepted& accepted) {
  rule_ = &rule;
  trees_ = &trees;
  accepted_ = accepted;
  hold_ = are_many();
  if (!recall_all()) read_all();
}

void Leaves::read_all() {
  release();
  jobs.clear();
  groups.clear();
  pointers_.clear();
  layouts_.clear();
  axes_.clear();
  not_finite_.clear();
  decays_.clear();
  leaf_numbers_.clear();
  leaf_count_ = 0;
  fingerprints_.clear();
  remembered_.clear();
  where_ = {};
  device_ = -1;
  elements = 0;
  first_ = true;
  arrays_ = 0;
  recallable_ = true;
  can_recall_ = false;
  visit(roots(), Path{});
  if (groups.empty()) groups.push_back({});
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    jobs[k].streams = pointers_.data() + k * stream_count();
  }
  check_separate();
  can_recall_ = recallable_;
}

// What each tree must bring for parameters of a dtype, and that all live with the first one.
void Leaves::expect(const Tensor& parameter) {
  device_ = parameter.location.device;
  const std::size_t count = stream_count();
  const auto storage_of = [&](std::size_t k) {
    return k < rule_->stream_count ? rule_->streams[k].storage : Storage::kState;
  };
  for (std::size_t d = 0; d < kDtypeCount; ++d) {
    const auto dtype = static_cast<Dtype>(d);
    for (std::size_t k = 0; k < count; ++k) {
      const Format format = trees_->formats[k];
      expected_[d][k] = stored_dtype(storage_of(k), dtype);
      if (is_codes(format)) expected_[d][k] = Dtype::kUint8;
      if (format == Format::kBFloat16) expected_[d][k] = Dtype::kBFloat16;
    }
    if (trees_->formatted()) expected_[d][kGrads] = arithmetic_dtype(dtype);
    expected_[d][tree_of(kRates)] = arithmetic_dtype(dtype);
    expected_[d][tree_of(kCopy)] = expected_[d][tree_of(kLow)] = Dtype::kBFloat16;
  }
  for (std::size_t k = 0; k < count; ++k) {
    written_[k] = k >= rule_->stream_count || rule_->streams[k].role != Role::kIn;
  }
  written_[tree_of(kRates)] = false;
  written_[tree_of(kCopy)] = written_[tree_of(kLow)] = true;
}

// Python's own limit is on calls, whatever they take of the stack: in some versions ten thousand, and that many of these
// take more than there is.
constexpr int kMostLevels = 500;

void Leaves::visit(const Nodes& nodes, const Path& path) {
  PyObject* node = nodes.at[0];
  const bool sequence = is_sequence(node);
  const bool is_leaf = !sequence && !PyDict_Check(node);
  if (node == Py_None && path.above != nullptr) {
    if (nodes.at[kGrads] == Py_None) return;
    throw TypeError(named(kGrads, path) + ": expected None as " + path.below(name_of(0)) +
                    ", got " + kind_of(nodes.at[kGrads]));
  }
  if (nodes.at[kGrads] == Py_None) {
    if (!is_leaf || path.above == nullptr) {
      throw TypeError(
          named(kGrads, path) + ": expected " +
          (is_leaf ? std::string("an array") : "the structure of " + path.below(name_of(0))) +
          ", got None");
    }
    recallable_ = false;
    ++arrays_;
    return;
  }
  if (depth_ >= kMostLevels) {
    PyErr_Format(PyExc_RecursionError,
                 "params: expected no more than %d levels of lists and dicts, got more: does one "
                 "hold itself?",
                 kMostLevels);
    throw py::error_already_set();
  }
  if (Py_EnterRecursiveCall(" while reading nested parameters") != 0) throw py::error_already_set();
  nodes.hold();
  const struct Leave {
    const Nodes& nodes;
    int& depth;
    ~Leave() {
      --depth;
      nodes.release();
      Py_LeaveRecursiveCall();
    }
  } leave{nodes, ++depth_};
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
  if ((PyDict_Check(node) ? PyDict_Size(node) : length(node)) != size) changed_size(tree, path);
}

void Leaves::changed_size(std::size_t tree, const Path& path) const {
  throw Error(named(tree, path) + " changed its size while it was read");
}

void Leaves::visit_sequence(Nodes nodes, const Path& path, Py_ssize_t size) {
  const std::size_t trees = nodes.trees();
  bool spread[kMostTrees] = {};  // a list here, too; else the node holds for all below
  std::vector<py::object> listed;
  for (std::size_t k = 1; k < trees; ++k) {
    PyObject* node = nodes.at[k];
    if (node == nullptr) continue;
    spread[k] = is_sequence(node);
    if (spread[k] && length(node) == size) continue;
    if (nodes.spreads(k) && is_number(node)) continue;
    if (nodes.spreads(k) && !spread[k] && !PyDict_Check(node)) {
      CallStream own;  // they are numbers: wherever they live, the host needs them
      Found found;
      look(found, node, k, path, own, Dtype::kFloat64);
      const View& view = found.view;
      if (view.rank != 1 || view.shape[0] != size) {
        throw Error(named(k, path) + " has shape " + in_words(view.shape, view.rank) +
                    ", expected (" + std::to_string(size) + ",), one for each array of " +
                    path.below(name_of(0)));
      }
      nodes.at[k] = listed.emplace_back(py::cast(numbers_of(found, own.location()))).ptr();
      spread[k] = true;
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
      below.at[k] = containers_.item(nodes.at[k], i);
      if (below.at[k] == nullptr) changed_size(k, path);
    }
    visit(below, {&path, {}, i});
  }
}

void Leaves::visit_dict(const Nodes& nodes, const Path& path) {
  const Py_ssize_t size = PyDict_Size(nodes.at[0]);
  const std::size_t trees = nodes.trees();
  for (std::size_t k = 1; k < trees; ++k) {
    PyObject* node = nodes.at[k];
    if (node == nullptr || (nodes.spreads(k) && is_number(node))) continue;
    if (PyDict_Check(node) && PyDict_Size(node) == size) continue;
    throw Error(named(k, path) + ": expected a dict with the " + std::to_string(size) +
                " keys of " + path.below(name_of(0)) + ", got " +
                (PyDict_Check(node) ? std::to_string(PyDict_Size(node)) : kind_of(node)));
  }
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  // Arrays are numbered in the order of the state, which has the keys of the params in its own.
  const bool counts = rule_->scope == Scope::kArray && nodes.count > kGrads + 1;
  PyObject* state = counts ? nodes.at[kGrads + 1] : nullptr;
  const std::size_t before = arrays_;
  bool ordered = true;
  Py_ssize_t state_at = 0;
  for (Py_ssize_t at = 0; containers_.next(nodes.at[0], at, key, value);) {
    Nodes below = nodes;
    if (state != nullptr) {
      PyObject* state_key = nullptr;
      PyObject* state_value = nullptr;
      containers_.next(state, state_at, state_key, state_value);
      ordered = ordered && state_key == key;
      if (!ordered) arrays_ = before + leaves_before(containers_, state, key);
    }
    check_size(nodes, 0, size, path);
    below.at[0] = value;
    const py::object held_key = py::reinterpret_borrow<py::object>(key);
    const Path here{&path, key};
    for (std::size_t k = 1; k < trees; ++k) {
      if (nodes.at[k] == nullptr || !PyDict_Check(nodes.at[k])) continue;
      below.at[k] = containers_.value(nodes.at[k], key);
      if (below.at[k] != nullptr) continue;
      if (PyErr_Occurred() != nullptr) throw py::error_already_set();
      throw Error(named(k, here) + " is missing, expected the keys of " + path.below(name_of(0)));
    }
    visit(below, here);
  }
  if (!ordered) arrays_ = before + leaves_below(containers_, state);
}

void Leaves::leaf(const Nodes& nodes, const Path& path) {
  const std::size_t count = nodes.count;
  Found& rates = found_[tree_of(kRates)];
  Found& copy = found_[tree_of(kCopy)];
  Found& low = found_[tree_of(kLow)];
  rates.given = copy.given = low.given = false;
  const Found& parameter = found_[0];
  look(found_[0], nodes.at[0], 0, path, where_, {});
  if (first_) {
    expect(parameter.view.tensor);
    first_leaf_ = nodes.at[0];
  }
  first_ = false;
  const Dtype dtype = parameter.view.tensor.dtype;
  read_rows(nodes.rows());
  bool walked = true;
  for (std::size_t k = 0; k < count; ++k) {
    if (k > 0) look(found_[k], nodes.at[k], k, path, where_, dtype);
    check(found_[k], k, parameter, path);
    walked = walked && is_walked(found_[k], k, dtype);
  }
  // Half-precision parameters of a gradient of another dtype are stored so, and walked as float32.
  const bool wide = is_half(dtype) && found_[kGrads].view.tensor.dtype != dtype;
  const bool opened = wide || trees_->formatted() || (is_half(dtype) && trees_->finished);
  if (trees_->formatted()) check_formats(path);
  Job job{nullptr, parameter.view.tensor.size};
  job.array = arrays_++;
  if (nodes.lr() != nullptr) {
    read_lr(rates, nodes.lr(), parameter, path, job);
    walked = walked && (!rates.given || is_walked(rates, tree_of(kRates), dtype));
  }
  if (nodes.copy() != nullptr) {
    look(copy, nodes.copy(), tree_of(kCopy), path, where_, dtype);
    check(copy, tree_of(kCopy), parameter, path);
    walked = walked && is_walked(copy, tree_of(kCopy), dtype);
    if (counts_versions(nodes.copy())) counting_versions.push_back(nodes.copy());
  }
  if (nodes.low() != nullptr) {
    look(low, nodes.low(), tree_of(kLow), path, where_, dtype);
    check(low, tree_of(kLow), parameter, path);
  }
  std::optional<double> decay;
  if (nodes.decay() != nullptr) decay = number(nodes.decay(), tree_of(kDecay), path);
  job.variant = group_of(opened ? arithmetic_dtype(dtype) : dtype, decay);
  if (device_ >= 0 && job.variant > 0) refuse_group(job.variant, path);
  if (by_rows_) {
    check_rows(path);
    add_rows(path, job, decay, walked, opened);
  } else {
    add_job(path, job, walked, opened);
  }
  ++leaf_count_;
  decays_.push_back(decay);
  if (recallable_) remember(nodes);
  if (counts_versions(nodes.at[0])) counting_versions.push_back(nodes.at[0]);
}

void Leaves::add_job(const Path& path, Job job, bool walked, bool opened) {
  if (walked && !opened) {
    for (std::size_t k = 0; k < stream_count(); ++k) {
      pointers_.push_back(found_[k].view.tensor.data);
    }
    if (found_[tree_of(kRates)].given) job.step_sizes = found_[tree_of(kRates)].view.tensor.data;
    if (found_[tree_of(kCopy)].given) job.copy = found_[tree_of(kCopy)].view.tensor.data;
  } else {
    arrange(path, job, opened);
  }
  jobs.push_back(job);
  leaf_numbers_.push_back(leaf_count_);
  elements += job.size;
}

// All arrays of a device share a dtype and a decay.
void Leaves::refuse_group(std::size_t group, const Path& path) const {
  const std::string where = " of all arrays on " + memory_name(device_);
  const Dtype dtype = groups[group].dtype;
  if (groups[0].dtype == dtype) {
    throw Error(named(tree_of(kDecay), path) + ": expected the one number" + where);
  }
  throw TypeError(named(0, path) + " has dtype " + info(dtype).name + ", expected " +
                  info(groups[0].dtype).name + ", the one" + where);
}

std::size_t Leaves::group_of(Dtype dtype, const std::optional<double>& decay) {
  const Updater::Group group{dtype, decay};
  const auto known = std::find(groups.begin(), groups.end(), group);
  if (known == groups.end()) {
    groups.push_back(group);
    return groups.size() - 1;
  }
  return static_cast<std::size_t>(known - groups.begin());
}

}  // namespace mdbopt::bind
