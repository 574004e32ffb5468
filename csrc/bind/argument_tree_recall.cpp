// argument_tree_recall – whether the arrays of a step are those of the last one, as they were.
#include <cmath>

#include "nodes.h"

namespace py = pybind11;

namespace mdbopt::bind {

// Deeper trees, cyclic ones among them, are for the full walk.
constexpr int kDeepest = 100;

// Whether all arrays and decays are as they were when they were read; only the step size may be
// another, and gradients of PyTorch may lie elsewhere.
bool Leaves::recall_all() {
  const Nodes nodes = roots();
  const bool one_rate = nodes.lr() != nullptr && is_number(nodes.lr());
  if (!can_recall_ || !one_rate || nodes.copy() != nullptr || nodes.rows() != nullptr) return false;
  const bool decays = nodes.decay() != nullptr;
  if (!decays_.empty() && decays_.front().has_value() != decays) return false;
  const double lr = PyFloat_AsDouble(nodes.lr());
  if (PyErr_Occurred() != nullptr) PyErr_Clear();  // lr is -1 then; the full walk says why
  if (!std::isfinite(lr) || lr < 0.0) return false;
  recalled_ = 0;
  moved_ = false;
  if (!recall(nodes, 0) || recalled_ != fingerprints_.size()) {
    PyErr_Clear();  // of keys that cannot be compared; the full walk says so
    return false;
  }
  for (Job& job : jobs) job.lr = lr;
  if (moved_) {
    can_recall_ = false;  // should it throw
    check_separate();
    can_recall_ = true;
  }
  return true;
}

bool Leaves::read_again(std::span<const char* const> gradients, std::span<const double> rates,
                        std::span<const double> decays) {
  if (!can_recall_ || are_many() || !layouts_.empty() || gradients.size() != jobs.size()) {
    return false;
  }
  bool moved = false;
  std::size_t at = 0;
  for (std::size_t leaf = 0; leaf < jobs.size(); ++leaf) {
    const double lr = rates[leaf];
    if (!std::isfinite(lr) || lr < 0.0 || decays_[leaf] != decays[leaf]) return false;
    jobs[leaf].lr = lr;
    for (std::size_t k = 0; k < stream_count(); ++k, ++at) {
      const TensorFingerprint& known = fingerprints_[at].tensor;
      if (k != kGrads) {
        if (!known.still(remembered_[at])) return false;
        continue;
      }
      void* data = nullptr;
      if (!known.alike_words(gradients[leaf], data)) return false;
      if (data == pointers_[at]) continue;
      can_recall_ = false;  // until what moved is known to overlap nothing
      moved = true;
      pointers_[at] = data;
    }
  }
  if (moved && find_overlap()) return false;
  can_recall_ = true;
  return true;
}

bool Leaves::recall(const Nodes& nodes, int depth) {
  if (depth > kDeepest) return false;
  PyObject* node = nodes.at[0];
  if (!is_sequence(node) && !PyDict_Check(node)) return recall_leaf(nodes);
  PyObject* decay = nodes.decay();  // a number is for all below it
  Nodes below = nodes;
  if (is_sequence(node)) {
    const Py_ssize_t size = length(node);
    for (std::size_t k = 1; k < nodes.count; ++k) {
      if (!is_sequence(nodes.at[k]) || length(nodes.at[k]) != size) return false;
    }
    const bool spread = decay != nullptr && is_sequence(decay);
    if (spread && length(decay) != size) return false;
    for (Py_ssize_t i = 0; i < size; ++i) {
      for (std::size_t k = 0; k < nodes.count; ++k) {
        below.at[k] = containers_.item(nodes.at[k], i);
        if (below.at[k] == nullptr) return false;
      }
      if (spread && (below.decay() = containers_.item(decay, i)) == nullptr) return false;
      if (!recall(below, depth + 1)) return false;
    }
    return true;
  }
  for (std::size_t k = 1; k < nodes.count; ++k) {
    if (!PyDict_Check(nodes.at[k]) || PyDict_Size(nodes.at[k]) != PyDict_Size(node)) return false;
  }
  const bool spread = decay != nullptr && PyDict_Check(decay);
  if (spread && PyDict_Size(decay) != PyDict_Size(node)) return false;
  PyObject* key = nullptr;
  for (Py_ssize_t at = 0; containers_.next(node, at, key, below.at[0]);) {
    if (!PyUnicode_CheckExact(key)) return false;  // to compare it might run code of its own
    for (std::size_t k = 1; k < nodes.count; ++k) {
      below.at[k] = containers_.value(nodes.at[k], key);
      if (below.at[k] == nullptr) return false;
    }
    if (spread && (below.decay() = containers_.value(decay, key)) == nullptr) return false;
    if (!recall(below, depth + 1)) return false;
  }
  return true;
}

bool Leaves::recall_leaf(const Nodes& nodes) {
  if (nodes.at[0] == Py_None) return nodes.at[kGrads] == Py_None;
  if (recalled_ + nodes.count > fingerprints_.size()) return false;
  if (PyObject* decay = nodes.decay(); decay != nullptr) {
    const std::optional<double>& before = decays_[recalled_ / nodes.count];
    if (!PyFloat_CheckExact(decay) || before != PyFloat_AS_DOUBLE(decay)) return false;
  }
  for (std::size_t k = 0; k < nodes.count; ++k) {
    if (!(k == kGrads ? recall_gradient(nodes.at[k]) : fingerprints_[recalled_].still(nodes.at[k])))
      return false;
    ++recalled_;
  }
  if (counts_versions(nodes.at[0])) counting_versions.push_back(nodes.at[0]);
  if (hold_) hold(nodes);
  return true;
}

// A gradient that is a tensor is read where it lies now; but where arrays have layouts, which hold
// where they lie, it has to be where it was.
bool Leaves::recall_gradient(py::handle gradient) {
  const Fingerprint& known = fingerprints_[recalled_];
  void* data = nullptr;
  if (!layouts_.empty() || !known.tensor.alike(gradient, data)) return known.still(gradient);
  moved_ = moved_ || data != pointers_[recalled_];
  pointers_[recalled_] = data;
  return true;
}

void Leaves::hold(const Nodes& nodes) {
  for (std::size_t k = 0; k < nodes.count; ++k) {
    Py_INCREF(nodes.at[k]);
    held_.push_back(nodes.at[k]);
  }
}

void Leaves::remember(const Nodes& nodes) {
  for (std::size_t k = 0; k < nodes.count; ++k) {
    recallable_ = recallable_ && fingerprints_.emplace_back().remember(nodes.at[k]);
    remembered_.push_back(nodes.at[k]);
  }
  recallable_ = recallable_ && nodes.lr() != nullptr && is_number(nodes.lr()) &&
                nodes.copy() == nullptr && nodes.low() == nullptr && nodes.rows() == nullptr;
}

}  // namespace mdbopt::bind
