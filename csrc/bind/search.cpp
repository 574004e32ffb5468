// search – the searches for Python: one crossing per call, arrays seen as read-only views, state as
// a flat mapping.
#include "../search/search.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstring>

#include "../error.h"
#include "array.h"
#include "bind.h"

namespace py = pybind11;
using namespace py::literals;
using mdbopt::search::Buffer;
using mdbopt::search::Fields;
using mdbopt::search::Options;
using mdbopt::search::Search;

namespace mdbopt::bind {
namespace {

py::dtype numpy_dtype(Dtype dtype) { return py::dtype(info(dtype).name); }

Tensor row_major(const Borrowed& array, const char* what) {
  if (!array.row_major())
    throw Error(std::string(what) + " is not in row-major (C) order; pass a copy");
  return array.tensor;
}

class Saver final : public Fields {
 public:
  py::dict saved;
  void number(const std::string& name, double& value) override { saved[name.c_str()] = value; }
  void count(const std::string& name, std::int64_t& value) override { saved[name.c_str()] = value; }
  void array(const std::string& name, Buffer& value) override {
    py::array copy(numpy_dtype(value.dtype()), static_cast<py::ssize_t>(value.size()));
    std::memcpy(copy.mutable_data(), value.data(), value.bytes());
    saved[name.c_str()] = copy;
  }
};

// Two passes over the fields: the first only checks, so that a damaged mapping leaves no
// half-loaded search.
class Loader final : public Fields {
 public:
  Loader(const py::dict& saved, bool write) : saved_(saved), write_(write) {}
  void number(const std::string& name, double& value) override { scalar(name, value); }
  void count(const std::string& name, std::int64_t& value) override { scalar(name, value); }
  void array(const std::string& name, Buffer& value) override {
    const Borrowed source = borrow(find(name), "state: '" + name + "'");
    if (source.tensor.dtype != value.dtype() || source.tensor.size != value.size()) {
      throw Error("state: '" + name + "' has " + std::to_string(source.tensor.size) +
                  " elements of " + info(source.tensor.dtype).name + ", expected " +
                  std::to_string(value.size()) + " of " + info(value.dtype()).name);
    }
    if (write_) std::memcpy(value.data(), source.tensor.data, value.bytes());
  }

 private:
  template <class T>
  void scalar(const std::string& name, T& value) {
    try {
      const T loaded = find(name).cast<T>();
      if (write_) value = loaded;
    } catch (const py::cast_error&) {
      throw TypeError("state: '" + name + "' is not a number");
    }
  }
  py::object find(const std::string& name) const {
    if (!saved_.contains(name)) throw Error("state: '" + name + "' is missing");
    py::object value = saved_[name.c_str()];
    return py::hasattr(value, "item") && py::len(py::getattr(value, "shape", py::tuple())) == 0
               ? value.attr("item")()
               : value;
  }
  const py::dict& saved_;
  bool write_;
};

// A search and the guard against two threads stepping it at once.
class State {
 public:
  explicit State(const Options& options) : options_(options), search_(search::make(options)) {}

  void init(const py::object& x, double f, const py::object& g) {
    const Borrowed x_borrowed = borrow(x, "x");
    const Borrowed g_borrowed = borrow(g, "g");
    const Tensor x_tensor = row_major(x_borrowed, "x");
    const Tensor g_tensor = row_major(g_borrowed, "g");
    alone([&] { search_->init(x_tensor, f, g_tensor); });
  }
  bool judge(double f, const py::object& g) {
    View view;
    Borrowed borrowed;
    if (!glance(g, view)) {
      borrowed = borrow(g, "g");
      view.tensor = row_major(borrowed, "g");
    }
    bool moved = false;
    alone([&] { moved = search_->judge(f, view.tensor); });
    return moved;
  }
  const Buffer& propose() {
    const Buffer* trial = nullptr;
    alone([&] { trial = &search_->propose(); });
    return *trial;
  }
  py::dict save() {
    Saver saver;
    search_->fields(saver);
    return saver.saved;
  }
  void load(const py::dict& saved) {
    if (!saved.contains("x")) throw Error("state: 'x' is missing");
    const Borrowed x = borrow(py::object(saved["x"]), "state: 'x'");
    std::unique_ptr<Search> fresh = search::make(options_, x.tensor.size, x.tensor.dtype);
    Loader check(saved, false);
    fresh->fields(check);
    Loader write(saved, true);
    fresh->fields(write);
    alone([&] { search_ = std::move(fresh); });
  }
  py::array_t<double> step_sizes() {
    py::array_t<double> out(static_cast<py::ssize_t>(search_->x().size()));
    double* data = out.mutable_data();
    alone([&] { search_->step_sizes(data); });
    return out;
  }
  const Search& search() const { return *search_; }

 private:
  template <class Body>
  void alone(Body body) {
    if (busy_.exchange(true)) throw Error("state: another thread is working on this state");
    struct Leave {
      std::atomic<bool>& busy;
      ~Leave() { busy = false; }
    } leave{busy_};
    if (search_->x().size() < kBriefSize) return body();
    py::gil_scoped_release release;
    body();
  }

  // A step on so few coordinates is over sooner than another thread could take the interpreter's
  // lock.
  static constexpr std::size_t kBriefSize = 4096;

  Options options_;
  std::unique_ptr<Search> search_;
  std::atomic<bool> busy_{false};
};

// A read-only view that keeps the state alive. The memory it shows belongs to a later point after
// the next judgement.
py::array view(const Buffer& buffer, const py::object& owner) {
  py::array array(numpy_dtype(buffer.dtype()), {static_cast<py::ssize_t>(buffer.size())},
                  buffer.data(), owner);
  py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  return array;
}

std::unique_ptr<State> make_state(const std::string& method, double gamma, double initial_scale,
                                  double forward, bool cocoercive, int refine,
                                  bool gradient_direction, const std::vector<std::int64_t>& groups,
                                  std::size_t memory, const std::string& proposer,
                                  const py::object& backend, std::size_t threads) {
  Options options;
  options.method = method;
  options.gamma = gamma;
  options.initial_scale = initial_scale;
  options.forward = forward;
  options.cocoercive = cocoercive;
  options.refine = refine;
  options.gradient_direction = gradient_direction;
  options.groups = groups;
  options.memory = memory;
  options.proposer = proposer;
  if (!backend.is_none())
    options.execution.backend = &find_backend(backend.cast<std::string>().c_str());
  options.execution.threads = threads;
  return std::make_unique<State>(options);
}

}  // namespace

void bind_search(py::module_& module) {
  py::class_<State>(module, "State", "A search at work: its point, its set and its counters.")
      .def(py::init(&make_state), py::kw_only(), "method"_a, "gamma"_a = search::kDefault,
           "initial_scale"_a = search::kDefault, "forward"_a = search::kDefault,
           "cocoercive"_a = true, "refine"_a = 0, "gradient_direction"_a = true,
           "groups"_a = std::vector<std::int64_t>{}, "memory"_a = Options{}.memory,
           "proposer"_a = Options{}.proposer, "backend"_a = py::none(), "threads"_a = 0)
      .def("init", &State::init, "x"_a, "f"_a, "g"_a,
           "Start at x, where the objective is f and its gradient g.")
      .def(
          "propose", [](py::object self) { return view(self.cast<State&>().propose(), self); },
          "The point to evaluate next: a read-only view, valid until judge.")
      .def("judge", &State::judge, "f"_a, "g"_a,
           "Take f and g at the proposed point; True when x moved there.")
      .def(
          "converged", [](const State& self, double gtol) { return self.search().converged(gtol); },
          "gtol"_a)
      .def("save", &State::save, "Copies of all arrays and numbers, by name.")
      .def("load", &State::load, "saved"_a, "Continue from what save gave.")
      .def("step_sizes", &State::step_sizes)
      .def_property_readonly(
          "x", [](py::object self) { return view(self.cast<State&>().search().x(), self); })
      .def_property_readonly(
          "g", [](py::object self) { return view(self.cast<State&>().search().g(), self); })
      .def_property_readonly("f", [](const State& self) { return self.search().f(); })
      .def_property_readonly("gmax", [](const State& self) { return self.search().gmax(); })
      .def_property_readonly("trial_gmax",
                             [](const State& self) { return self.search().trial_gmax(); })
      .def_property_readonly("ncut", [](const State& self) { return self.search().ncut(); })
      .def_property_readonly("accepted", [](const State& self) { return self.search().accepted(); })
      .def_property_readonly("evaluations",
                             [](const State& self) { return self.search().evaluations(); })
      .def_property_readonly("status", [](const State& self) {
        return static_cast<std::int64_t>(self.search().status());
      });
}

}  // namespace mdbopt::bind
