// nodes – the places of parallel trees, as argument_tree*.cpp walk them.
#pragma once

#include "argument_tree.h"

namespace mdbopt::bind {

inline constexpr std::size_t kMostTrees = kMaxStreams + 6;
inline constexpr std::size_t kGrads = 1;

inline bool is_sequence(PyObject* node) { return PyList_Check(node) || PyTuple_Check(node); }
inline Py_ssize_t length(PyObject* node) { return PySequence_Fast_GET_SIZE(node); }
bool is_other_number(PyObject* node);
// Any kind of real number, an array without axes among them.
inline bool is_number(PyObject* node) { return PyFloat_Check(node) || is_other_number(node); }

inline std::string kind_of(pybind11::handle node) {
  if (node.is_none()) return "None";
  return pybind11::str(pybind11::type::handle_of(node).attr("__name__"));
}

// The numbers of an array with at most one axis; those on a device are waited for.
std::vector<double> numbers_of(const Found& found, const Location& location);

// The nodes of all trees at one place, in the order of Leaves::Beside behind the streams; null where they
// are absent.
struct Leaves::Nodes {
  PyObject* at[kMostTrees];
  std::size_t count;  // of the rule's streams and an average
  PyObject*& lr() { return at[count]; }
  PyObject*& copy() { return at[count + 1]; }
  PyObject*& low() { return at[count + 2]; }
  PyObject*& decay() { return at[count + 3]; }
  PyObject*& rows() { return at[count + 4]; }
  std::size_t trees() const { return count + 5; }
  // Whether a tree may hold a number for all below it.
  bool spreads(std::size_t tree) const { return tree == count || tree == count + 3; }
  // An array's own code runs while it is read, and may take others out of their lists: what is being
  // read is held.
  void hold() const {
    for (std::size_t k = 0; k < trees(); ++k) Py_XINCREF(at[k]);
  }
  void release() const {
    for (std::size_t k = 0; k < trees(); ++k) Py_XDECREF(at[k]);
  }
  PyObject* lr() const { return at[count]; }
  PyObject* copy() const { return at[count + 1]; }
  PyObject* low() const { return at[count + 2]; }
  PyObject* decay() const { return at[count + 3]; }
  PyObject* rows() const { return at[count + 4]; }
};

}  // namespace mdbopt::bind
