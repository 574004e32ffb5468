// plan – whether a step of PyTorch's parameters is the one that was planned: an adapter asks before each
// step, of some hundred parameters with their gradients, states and options; and steps at once where it is.
#include <pybind11/numpy.h>

#include <cstring>
#include <memory>
#include <vector>

#include "bind.h"
#include "constructor.h"
#include "containers.h"
#include "library.h"
#include "update.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

PyObject* interned(const char* name) {
  PyObject* made = PyUnicode_InternFromString(name);
  if (made == nullptr) throw py::error_already_set();
  return made;
}

// The keys of a group that are asked for in every step; they live as long as the process.
struct Keys {
  PyObject* params = interned("params");
  PyObject* lr = interned("lr");
  PyObject* weight_decay = interned("weight_decay");
  PyObject* grad = interned("grad");
};

const Keys& keys() {
  static const Keys known;
  return known;
}

// A value of a group; null when it has none, or is no dict.
PyObject* value_of(Containers& containers, PyObject* group, PyObject* key) {
  if (group == nullptr || !PyDict_Check(group)) return nullptr;
  PyObject* value = containers.value(group, key);
  if (value == nullptr) PyErr_Clear();
  return value;
}

// Equal as Python says; what cannot be compared is not.
bool equal(PyObject* a, PyObject* b) {
  const int same = PyObject_RichCompareBool(a, b, Py_EQ);
  if (same >= 0) return same > 0;
  if (PyErr_ExceptionMatches(PyExc_Exception) == 0) throw py::error_already_set();
  PyErr_Clear();
  return false;
}

// Parameters and what their states consist of are known by their addresses: the caller holds them, where
// Python's collector sees them. The options of groups are compared by value.
class Plan {
 public:
  Plan(const py::list& groups, const py::list& gradients, const py::dict& state,
       const py::tuple& names, const py::list& counts)
      : names_(names) {
    for (const py::handle array : counts) {
      counts_.push_back(py::array::ensure(array));
      told_.emplace_back();
    }
    for (std::size_t k = 0; k < groups.size(); ++k) {
      const auto group = py::reinterpret_borrow<py::dict>(groups[k]);
      for (const py::handle name : names) chosen_.push_back(group[name]);
      const auto params = group[keys().params].cast<py::list>();
      const auto present = gradients[k].cast<py::list>();
      sizes_.push_back(params.size());
      for (std::size_t i = 0; i < params.size(); ++i) {
        add(params[i].ptr(), !present[i].is_none());
      }
    }
    for (const auto& [param, entry] : state) {
      if (!py::isinstance<py::dict>(entry)) {  // somebody else's
        state_.insert(state_.end(), {address(param.ptr()), kNoDict, address(entry.ptr())});
        continue;
      }
      const auto values = py::reinterpret_borrow<py::dict>(entry);
      state_.insert(state_.end(), {address(param.ptr()), values.size()});
      for (const auto& [name, value] : values)
        state_.insert(state_.end(), {address(name.ptr()), address(value.ptr())});
    }
    state_size_ = state.size();
    tell();
  }

  // The gradients of each group; None when the plan is another one.
  py::object gradients(const py::list& groups, const py::dict& state) const {
    Containers containers;
    if (!fits(containers, groups, state)) return py::none();
    py::list all;
    std::size_t at = 0;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      if (k >= groups.size()) return py::none();
      PyObject* group = containers.item(groups.ptr(), static_cast<py::ssize_t>(k));
      PyObject* listed = value_of(containers, group, keys().params);
      if (listed == nullptr || !PyList_CheckExact(listed)) return py::none();
      const auto params = py::reinterpret_borrow<py::list>(listed);
      py::list own;
      for (std::size_t i = 0; i < sizes_[k]; ++i) {
        if (i >= params.size()) return py::none();  // a parameter's own code took it out
        const py::object param = params[i];
        PyObject* gradient = PyObject_GetAttr(param.ptr(), keys().grad);
        if (gradient == nullptr) throw py::error_already_set();
        own.append(py::reinterpret_steal<py::object>(gradient));
        if ((gradient != Py_None) != params_[at++].present) return py::none();
      }
      all.append(own);
    }
    return all;
  }

  // Takes the step of a plan whose parameters `params`, those that have a gradient, are those of one
  // update, in its order; gives what Update::step does, or None, with nothing changed, where it is not
  // the planned one or its gradients have to be looked at by Python.
  py::object step(const py::list& groups, const py::dict& state, Update& update,
                  const py::list& params, double max_norm) {
    Containers containers;
    if (words_ == nullptr || !fits(containers, groups, state)) return py::none();
    gradients_.clear();
    rates_.clear();
    decays_.clear();
    std::size_t at = 0;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      PyObject* group = containers.item(groups.ptr(), static_cast<py::ssize_t>(k));
      PyObject* rate = value_of(containers, group, keys().lr);
      PyObject* decay = value_of(containers, group, keys().weight_decay);
      const bool floats = rate != nullptr && PyFloat_CheckExact(rate) && decay != nullptr &&
                          PyFloat_CheckExact(decay);
      if (!floats) return py::none();
      for (const std::size_t end = at + sizes_[k]; at < end; ++at) {
        const Param& param = params_[at];
        if (Py_TYPE(param.object) != param.type) return py::none();
        const char* gradient = words_->gradient_of(words_->object_of(param.object));
        if ((gradient != nullptr) != param.present) return py::none();
        if (gradient == nullptr) continue;
        gradients_.push_back(gradient);
        rates_.push_back(PyFloat_AS_DOUBLE(rate));
        decays_.push_back(PyFloat_AS_DOUBLE(decay));
      }
    }
    const py::object taken = update.step_again(gradients_, rates_, decays_, max_norm, params);
    if (!taken) return py::none();
    count();
    return taken;
  }

  // One more step in the first of the arrays of counts; what the others hold is known then, too.
  void count() {
    auto* steps = static_cast<float*>(counts_[0].mutable_data());
    for (py::ssize_t k = 0; k < counts_[0].size(); ++k) steps[k] += 1.0F;
    tell();
  }

 private:
  struct Param {
    PyObject* object;
    PyTypeObject* type;
    bool present;
  };

  // In the place of a size, before the address of an entry of the state that is no dict.
  static constexpr std::uintptr_t kNoDict = ~std::uintptr_t{0};

  static std::uintptr_t address(PyObject* object) {
    return reinterpret_cast<std::uintptr_t>(object);
  }

  void add(PyObject* param, bool present) {
    params_.push_back({param, Py_TYPE(param), present});
    const ArrayLibrary& library = library_of(Py_TYPE(param));
    readable_ = readable_ && library.torch && library.lends && library.words->known();
    words_ = readable_ ? library.words : nullptr;
  }

  void tell() {
    for (std::size_t k = 0; k < counts_.size(); ++k) {
      const auto* bytes = static_cast<const char*>(counts_[k].data());
      told_[k].assign(bytes, bytes + counts_[k].nbytes());
    }
  }

  bool fits(Containers& containers, const py::list& groups, const py::dict& state) const {
    for (std::size_t k = 0; k < counts_.size(); ++k) {
      if (std::memcmp(counts_[k].data(), told_[k].data(), told_[k].size()) != 0) return false;
    }
    if (groups.size() != sizes_.size()) return false;
    // Comparing may run code of Python's, after which the containers are read.
    std::size_t at = 0;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      for (const py::handle name : names_) {
        if (k >= groups.size()) return false;
        PyObject* group = containers.item(groups.ptr(), static_cast<py::ssize_t>(k));
        PyObject* value = value_of(containers, group, name.ptr());
        PyObject* known = chosen_[at++].ptr();
        if (value != known && (value == nullptr || !equal(value, known))) return false;
      }
    }
    return groups.size() == sizes_.size() && same_params(containers, groups.ptr()) &&
           same_state(containers, state.ptr());
  }

  // Nothing of Python runs in these two that could change a container.
  bool same_params(Containers& containers, PyObject* groups) const {
    std::size_t at = 0;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      PyObject* group = containers.item(groups, static_cast<py::ssize_t>(k));
      PyObject* params = value_of(containers, group, keys().params);
      if (params == nullptr || !PyList_CheckExact(params)) return false;
      if (PyList_GET_SIZE(params) != static_cast<py::ssize_t>(sizes_[k])) return false;
      for (std::size_t i = 0; i < sizes_[k]; ++i) {
        PyObject* param = containers.item(params, static_cast<py::ssize_t>(i));
        if (param != params_[at++].object) return false;
      }
    }
    return true;
  }

  bool same_state(Containers& containers, PyObject* state) const {
    if (PyDict_Size(state) != static_cast<py::ssize_t>(state_size_)) return false;
    const std::uintptr_t* next = state_.data();
    PyObject *param = nullptr, *values = nullptr, *name = nullptr, *value = nullptr;
    const std::uintptr_t* const end = next + state_.size();
    for (py::ssize_t outer = 0; containers.next(state, outer, param, values);) {
      if (end - next < 2 || address(param) != *next++) return false;
      std::uintptr_t left = *next++;
      if (!PyDict_Check(values)) {
        if (left != kNoDict || next == end || address(values) != *next++) return false;
        continue;
      }
      if (static_cast<std::uintptr_t>(PyDict_Size(values)) != left) return false;
      for (py::ssize_t inner = 0; containers.next(values, inner, name, value);) {
        if (left-- == 0 || address(name) != next[0] || address(value) != next[1]) return false;
        next += 2;
      }
      if (left != 0) return false;
    }
    return true;
  }

  py::tuple names_;
  std::vector<py::object> chosen_;  // by group and name
  std::vector<py::array> counts_;
  std::vector<std::vector<char>> told_;
  std::vector<std::size_t> sizes_;  // of the groups
  std::vector<Param> params_;
  std::size_t state_size_ = 0;
  std::vector<std::uintptr_t> state_;   // of each entry its key and size, then its keys and values
  bool readable_ = true;                // all parameters, word by word
  const TensorWords* words_ = nullptr;  // null: they are not, or there are none
  // Of a step, by parameter that has a gradient.
  std::vector<const char*> gradients_;
  std::vector<double> rates_, decays_;
};

std::unique_ptr<Plan> make_plan(const py::list& groups, const py::list& gradients,
                                const py::dict& state, const py::tuple& names,
                                const py::list& counts) {
  return std::make_unique<Plan>(groups, gradients, state, names, counts);
}

}  // namespace

void bind_plan(py::module_& module) {
  py::class_<Plan> plan(module, "Plan",
                        "What a step of PyTorch's parameters was planned from, which the caller "
                        "holds.");
  define_init(plan, &make_plan, "groups"_a, "gradients"_a, "state"_a, "names"_a, "counts"_a);
  plan.def("gradients", &Plan::gradients, "groups"_a, "state"_a,
           "The gradients of each group, or None when the plan is another one.")
      .def("step", &Plan::step, "groups"_a, "state"_a, "update"_a, "params"_a, "max_norm"_a,
           "Take the planned step, or give None.")
      .def("count", &Plan::count, "Add a step to the counts.");
}

}  // namespace mdbopt::bind
