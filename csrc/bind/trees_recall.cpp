// trees_recall – whether the arrays of a step are those of the last one, as they were.
#include <cmath>

#include "nodes.h"

namespace mdbopt::bind {

// Deeper trees, cyclic ones among them, are for the full walk.
constexpr int kDeepest = 100;

// Whether all arrays are as they were when they were read; only the step size may be another.
bool Leaves::recall_all() {
  const Nodes nodes = roots();
  const bool one_rate = nodes.lr() != nullptr && is_number(nodes.lr());
  if (!can_recall_ || !one_rate || nodes.copy() != nullptr) return false;
  const double lr = PyFloat_AsDouble(nodes.lr());
  if (PyErr_Occurred() != nullptr) PyErr_Clear();  // lr is -1 then; the full walk says why
  if (!std::isfinite(lr) || lr < 0.0) return false;
  recalled_ = 0;
  if (!recall(nodes, 0) || recalled_ != seen_.size()) return false;
  for (Job& job : jobs) job.lr = lr;
  return true;
}

bool Leaves::recall(const Nodes& nodes, int depth) {
  if (depth > kDeepest) return false;
  PyObject* node = nodes.at[0];
  Nodes below = nodes;
  if (is_sequence(node)) {
    const Py_ssize_t size = length(node);
    for (std::size_t k = 1; k < nodes.count; ++k) {
      if (!is_sequence(nodes.at[k]) || length(nodes.at[k]) != size) return false;
    }
    for (Py_ssize_t i = 0; i < size; ++i) {
      for (std::size_t k = 0; k < nodes.count; ++k) below.at[k] = item(nodes.at[k], i);
      if (!recall(below, depth + 1)) return false;
    }
    return true;
  }
  if (PyDict_Check(node)) {
    for (std::size_t k = 1; k < nodes.count; ++k) {
      if (!PyDict_Check(nodes.at[k]) || PyDict_Size(nodes.at[k]) != PyDict_Size(node)) return false;
    }
    PyObject* key = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(node, &at, &key, &below.at[0]) != 0;) {
      if (!PyUnicode_CheckExact(key)) return false;  // to compare it might run code of its own
      for (std::size_t k = 1; k < nodes.count; ++k) {
        below.at[k] = PyDict_GetItem(nodes.at[k], key);
        if (below.at[k] == nullptr) return false;
      }
      if (!recall(below, depth + 1)) return false;
    }
    return true;
  }
  if (recalled_ + nodes.count > seen_.size()) return false;
  for (std::size_t k = 0; k < nodes.count; ++k) {
    if (!seen_[recalled_++].still(nodes.at[k])) return false;
  }
  if (hold_) hold(nodes);
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
    recallable_ = recallable_ && seen_.emplace_back().remember(nodes.at[k]);
  }
  recallable_ =
      recallable_ && nodes.lr() != nullptr && is_number(nodes.lr()) && nodes.copy() == nullptr;
}

}  // namespace mdbopt::bind
