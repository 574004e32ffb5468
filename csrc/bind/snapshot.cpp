// snapshot – whether nested containers still hold the same objects, and gradients are missing in the same
// places: what an adapter asks before each step, of some hundred parameters and their states.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "bind.h"
#include "constructor.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

// Knows objects by their addresses: the caller holds them, where Python's collector sees them.
class Snapshot {
 public:
  Snapshot(const py::object& objects, const py::object& optional) {
    walk(objects.ptr(), 0, [&](std::uintptr_t word, bool) {
      seen_.push_back(word);
      return true;
    });
    walk(optional.ptr(), 0, [&](std::uintptr_t word, bool object) {
      missing_.push_back(missing(word, object));
      return true;
    });
  }

  bool still(const py::object& objects, const py::object& optional) const {
    std::size_t k = 0;
    const bool same = walk(objects.ptr(), 0, [&](std::uintptr_t word, bool) {
      return k < seen_.size() && seen_[k++] == word;
    });
    if (!same || k != seen_.size()) return false;
    k = 0;
    return walk(optional.ptr(), 0,
                [&](std::uintptr_t word, bool object) {
                  return k < missing_.size() && missing_[k++] == missing(word, object);
                }) &&
           k == missing_.size();
  }

 private:
  // Deeper containers count as objects.
  static constexpr int kDeepest = 8;

  static std::uintptr_t address(PyObject* object) {
    return reinterpret_cast<std::uintptr_t>(object);
  }
  static bool missing(std::uintptr_t word, bool object) {
    return object && word == address(Py_None);
  }

  // Visits the address of each object and key, and the size of each container before what it holds, for
  // as long as that is told to go on. Nothing of Python runs meanwhile that could change a container.
  template <class Visit>
  static bool walk(PyObject* node, int depth, const Visit& visit) {
    if (depth < kDeepest && (PyList_CheckExact(node) || PyTuple_CheckExact(node))) {
      const Py_ssize_t size = PySequence_Fast_GET_SIZE(node);
      if (!visit(static_cast<std::uintptr_t>(size), false)) return false;
      for (Py_ssize_t k = 0; k < size; ++k) {
        if (!walk(PySequence_Fast_GET_ITEM(node, k), depth + 1, visit)) return false;
      }
      return true;
    }
    if (depth == kDeepest || !PyDict_Check(node)) return visit(address(node), true);
    if (!visit(static_cast<std::uintptr_t>(PyDict_Size(node)), false)) return false;
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(node, &at, &key, &value) != 0;) {
      if (!visit(address(key), true) || !walk(value, depth + 1, visit)) return false;
    }
    return true;
  }

  std::vector<std::uintptr_t> seen_;
  std::vector<bool> missing_;
};

std::unique_ptr<Snapshot> make_snapshot(const py::object& objects, const py::object& optional) {
  return std::make_unique<Snapshot>(objects, optional);
}

}  // namespace

void bind_snapshot(py::module_& module) {
  py::class_<Snapshot> snapshot(module, "Snapshot",
                                "The objects in nested lists, tuples and dicts, which the caller "
                                "holds, and which of others are "
                                "None.");
  define_init(snapshot, &make_snapshot, "objects"_a, "optional"_a);
  snapshot.def("still", &Snapshot::still, "objects"_a, "optional"_a,
               "Whether both hold the same objects, and None in the same places.");
}

}  // namespace mdbopt::bind
