// containers – what lists, tuples and dicts hold. Without the interpreter's lock other threads may change them at any
// time, so that what is read of them is held then.
#pragma once

#include <pybind11/critical_section.h>
#include <pybind11/pybind11.h>

#include <vector>

namespace mdbopt::bind {

class Containers {
 public:
  Containers() = default;
  ~Containers() { release(); }
  Containers(const Containers&) = delete;
  Containers& operator=(const Containers&) = delete;

#ifdef Py_GIL_DISABLED
  // Of a list or a tuple; null where it has become too short.
  PyObject* item(PyObject* sequence, Py_ssize_t k) {
    if (PyTuple_Check(sequence)) return PyTuple_GET_ITEM(sequence, k);
    PyObject* found = PyList_GetItemRef(sequence, k);
    if (found == nullptr) PyErr_Clear();
    return hold(found);
  }
  // Of a dict; null where it has no such key, or with an error of Python's where keys cannot be compared.
  PyObject* value(PyObject* dict, PyObject* key) {
    PyObject* found = nullptr;
    PyDict_GetItemRef(dict, key, &found);
    return hold(found);
  }
  // As PyDict_Next.
  bool next(PyObject* dict, Py_ssize_t& at, PyObject*& key, PyObject*& value) {
    const pybind11::scoped_critical_section alone(dict);
    if (PyDict_Next(dict, &at, &key, &value) == 0) return false;
    hold(Py_NewRef(key));
    hold(Py_NewRef(value));
    return true;
  }
  void release() {
    for (PyObject* object : held_) Py_DECREF(object);
    held_.clear();
  }

 private:
  PyObject* hold(PyObject* object) {
    if (object != nullptr) held_.push_back(object);
    return object;
  }
  std::vector<PyObject*> held_;
#else
  PyObject* item(PyObject* sequence, Py_ssize_t k) { return PySequence_Fast_GET_ITEM(sequence, k); }
  PyObject* value(PyObject* dict, PyObject* key) { return PyDict_GetItemWithError(dict, key); }
  bool next(PyObject* dict, Py_ssize_t& at, PyObject*& key, PyObject*& value) {
    return PyDict_Next(dict, &at, &key, &value) != 0;
  }
  void release() {}
#endif
};

}  // namespace mdbopt::bind
