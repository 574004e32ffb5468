// search – the searches for Python: one crossing per call, arrays seen as read-only views or, on a
// device, as copies there, state as a flat mapping.
#include "../search/search.h"

#include <mdbopt/error.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../runtime/device.h"
#include "array.h"
#include "bind.h"
#include "constructor.h"
#include "device_array.h"
#include "location.h"
#include "reducer.h"
#include "search_arrays.h"
#include "search_fields.h"
#include "search_layout.h"
#include "worker.h"

namespace py = pybind11;
using namespace py::literals;
using mdbopt::search::Buffer;
using mdbopt::search::Options;
using mdbopt::search::Search;

namespace mdbopt::bind {
namespace {

py::object copied(const py::object& array, const std::string& what) {
  const auto where = std::make_shared<CallStream>();
  const Borrowed borrowed = borrow(array, what, {}, where.get());
  const Tensor tensor = row_major(borrowed, *where, what.c_str());
  if (tensor.location.on_cpu()) throw Error(what + " lives on the CPU, expected a CUDA device");
  Buffer copy(tensor.size, tensor.dtype, std::make_shared<Location>(where->location()));
  copy.write(tensor.data);
  return given(where, std::move(copy));
}

// A search and the guard against two threads stepping it at once.
class SearchState {
 public:
  explicit SearchState(const Options& options)
      : options_(options), where_(std::make_shared<CallStream>()), search_(search::make(options)) {}

  void init(const py::object& x, double f, const py::object& g) {
    told([&] { start(x, f, g, {}); });
  }
  // l2: what it was in the objective of the earlier search, and is now; none where it is not known how
  // the objective differs.
  void init_from(const py::object& x, double f, const py::object& g, SearchState& earlier,
                 const std::optional<std::pair<py::object, py::object>>& l2) {
    told([&] {
      CallStream where;
      search::Heritage heritage{earlier.search_.get(), l2.has_value(), {}, {}};
      std::optional<Look> before;
      std::optional<Look> now;
      if (l2) {
        const Wanted as_x{Dtype::kFloat64, earlier.search_->x().size(), " (as x)", &kRowMajor};
        heritage.before = ridge(l2->first, before, as_x, where);
        heritage.now = ridge(l2->second, now, as_x, where);
      }
      earlier.kept([&] { start(x, f, g, heritage); });
    });
  }
  bool judge(double f, const py::object& g) {
    bool moved = false;
    told([&] {
      CallStream where;
      const Look look(g, "g", like_x(), {}, where);
      const Held held{*this, where};
      alone([&] { moved = search_->judge(f, look.tensor()); });
    });
    return moved;
  }
  void fail(const std::string& words) {
    alone([&] { search_->fail(words.c_str()); });
  }
  void judge_async(const py::object& f, const py::object& g) {
    CallStream where;
    const Look look(g, "g", like_x(), {}, where);
    std::optional<Look> number;
    DeviceNumber told;
    if (PyFloat_CheckExact(f.ptr())) {
      told.value = PyFloat_AS_DOUBLE(f.ptr());
    } else {
      number.emplace(f, "f", std::nullopt, Accepted{true, {}}, where);
      told = number_there(number->tensor(), look.tensor());
    }
    const Held held{*this, where};
    alone([&] { search_->judge_async(told, look.tensor()); });
  }
  // Copied before another thread may judge it.
  py::object propose() {
    py::object copy;
    kept([&] {
      const Buffer* trial = nullptr;
      unlocked([&] { trial = &search_->propose(); });
      copy = copy_of(*trial);
    });
    return copy;
  }
  const Buffer& propose_async() {
    const Buffer* trial = nullptr;
    alone([&] { trial = &search_->propose_async(); });
    return *trial;
  }
  py::dict save() { return saved_by(Saver()); }
  py::object entry(const std::string& name) {
    const py::dict saved = saved_by(Saver(name.c_str()));
    if (!saved.contains(name)) throw py::key_error(name);
    return saved[name.c_str()];
  }
  py::list names() {
    catch_up();
    Names names;
    {
      const Looking looking(worker_, refuse_worker);
      search_->fields(names);
    }
    if (!search_->location().on_cpu()) names.all.append("device");
    return names.all;
  }
  // How many numbers a state has, and what its arrays are when all pairs are there.
  py::tuple layout(std::size_t size, const std::string& dtype) const {
    SearchLayout layout;
    const Dtype kind = dtype == "float64" ? Dtype::kFloat64 : Dtype::kFloat32;
    search::make(options_, size, kind)->fields(layout);
    py::dict arrays;
    for (const SearchArray& array : layout.arrays) {
      arrays[array.name.c_str()] =
          py::make_tuple(info(array.dtype).name, array.rows, array.columns);
    }
    return py::make_tuple(layout.numbers, arrays);
  }
  void load(const py::object& saved, const std::optional<int>& device) {
    Options options = options_;
    if (device) {
      require_usable(*device);
      options.execution.location = {*device, legacy_stream()};
    }
    Loader loader(saved);
    const Borrowed x = borrow(loader.find("x"), "state: 'x'");
    const bool may_be_empty = options.reducer != nullptr;
    if (x.tensor.size == 0 && !may_be_empty)
      throw Error("state: 'x' is empty, expected at least one element");
    std::unique_ptr<Search> fresh = search::make(options, x.tensor.size, x.tensor.dtype);
    try {
      fresh->fields(loader);
      alone([&] {
        fresh->loaded();
        search_ = std::move(fresh);
      });
    } catch (const std::exception& error) {
      fresh->fail(error.what());
      if (options.reducer != nullptr) search_ = std::move(fresh);  // the other shards are told
      throw;
    }
  }
  py::object step_sizes() {
    catch_up();
    Search& search = *search_;
    const std::size_t size = search.x().size();
    if (!search.location().on_cpu()) {
      Buffer out = search.zeros(Dtype::kFloat64);
      alone([&] { search.step_sizes(out.doubles()); });
      return given(where_, std::move(out));
    }
    py::array_t<double> out(static_cast<py::ssize_t>(size));
    double* data = out.mutable_data();
    alone([&] { search.step_sizes(data); });
    return out;
  }
  py::array_t<std::int8_t> active() {
    py::array_t<std::int8_t> out(static_cast<py::ssize_t>(search_->x().size()));
    std::int8_t* data = out.mutable_data();
    alone([&] { search_->active(data); });
    return out;
  }
  const Search& search() const { return *search_; }
  // What waits for a device does so without the interpreter's lock.
  template <class Question>
  auto asked(Question question) {
    if (!search_->on_device()) {
      const Looking looking(worker_, refuse_worker);
      return question(*search_);
    }
    decltype(question(*search_)) answer{};
    alone([&] { answer = question(*search_); });
    return answer;
  }

  template <auto question>
  auto number() {
    return asked([](Search& search) { return (search.*question)(); });
  }

  // A view that keeps the state alive; the memory it shows belongs to a later point after the next
  // judgement. Read-only, but on a device, whose libraries know no such arrays.
  py::object lent(const Buffer& buffer, const py::object& self) {
    if (!buffer.location().on_cpu()) return device_view(buffer.tensor(), self);
    py::array array(numpy_dtype(buffer.dtype()), {static_cast<py::ssize_t>(buffer.size())},
                    buffer.data(), self);
    py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    return array;
  }
  py::object shown(const Buffer& buffer, const py::object& self) {
    if (buffer.location().on_cpu()) return lent(buffer, self);
    py::object copy;
    kept([&] { copy = copy_of(buffer); });
    return copy;
  }

 private:
  // Does it; what it throws, the other shards are told.
  template <class Body>
  void told(Body body) {
    try {
      body();
    } catch (const std::exception& error) {
      search_->fail(error.what());
      throw;
    }
  }

  static search::Ridge ridge(const py::object& l2, std::optional<Look>& look, const Wanted& wanted,
                             CallStream& where) {
    if (PyFloat_CheckExact(l2.ptr())) return {PyFloat_AS_DOUBLE(l2.ptr()), nullptr};
    look.emplace(l2, "l2", wanted, Accepted{}, where);
    return {0.0, &look->tensor()};
  }

  void start(const py::object& x, double f, const py::object& g, const search::Heritage& heritage) {
    CallStream where;
    const Borrowed x_borrowed = read(x, "x", {.order = &kRowMajor}, {}, &where);
    const Wanted like_x{x_borrowed.tensor.dtype, x_borrowed.tensor.size, " (as x)", &kRowMajor};
    const Borrowed g_borrowed = read(g, "g", like_x, {}, &where);
    const Tensor x_tensor = row_major(x_borrowed, where, "x");
    const Tensor g_tensor = row_major(g_borrowed, where, "g");
    const Held held{*this, where};
    alone([&] { search_->init(x_tensor, f, g_tensor, heritage); });
  }

  // Holds the stream of a call from its end on if the search is on it then, however the call ended.
  struct Held {
    SearchState& state;
    const CallStream& where;
    ~Held() {
      const Location& now = state.search_->location();
      const bool followed = !now.on_cpu() && now.device == where.location().device &&
                            now.stream == where.location().stream;
      if (followed) *state.where_ = where;
    }
  };

  // What a gradient comes as; on a device, which to ask for x would wait for, as it is.
  std::optional<Wanted> like_x() {
    if (!search_->location().on_cpu()) return {};
    const Looking looking(worker_, refuse_worker);
    const Buffer& x = search_->x();
    return Wanted{x.dtype(), x.size(), " (as x)", &kRowMajor};
  }

  void catch_up() {
    asked([](Search& search) { return search.status(); });
  }

  py::dict saved_by(Saver saver) {
    catch_up();
    {
      const Looking looking(worker_, refuse_worker);
      search_->fields(saver);
    }
    const Location location = search_->location();
    if (location.on_cpu()) return saver.saved;
    std::int64_t device = location.device;
    saver.count("device", device, 0, device);
    {
      const py::gil_scoped_release release;
      device_library().synchronize(location);
    }
    return saver.saved;
  }

  static void refuse_worker() { throw Error("state: another thread is working on this state"); }
  // While no other thread works on this state.
  template <class Body>
  void kept(Body body) {
    const Alone alone(worker_, refuse_worker);
    body();
  }
  // Without the interpreter's lock, where that is worth it.
  template <class Body>
  void unlocked(Body body) {
    if (search_->location().on_cpu() && search_->x().size() < kBriefSize) return body();
    py::gil_scoped_release release;
    body();
  }
  template <class Body>
  void alone(Body body) {
    kept([&] { unlocked(body); });
  }
  // Of an array of the search that no other thread works on.
  py::object copy_of(const Buffer& buffer) {
    if (buffer.location().on_cpu()) {
      return py::array(numpy_dtype(buffer.dtype()), {static_cast<py::ssize_t>(buffer.size())},
                       buffer.data());
    }
    Buffer copy;
    unlocked([&] { copy = buffer; });
    return given(where_, std::move(copy));
  }

  // A step on so few coordinates is over sooner than another thread could take the interpreter's
  // lock.
  static constexpr std::size_t kBriefSize = 4096;

  Options options_;
  std::shared_ptr<CallStream>
      where_;  // of the last call: it holds the stream that the search is on
  std::unique_ptr<Search> search_;
  Worker worker_;
};

using Labels = py::array_t<std::int64_t, py::array::c_style>;
using Side = py::array_t<double, py::array::c_style>;  // of bounds, or a penalty

std::unique_ptr<SearchState> make_search_state(
    const std::string& method, double gamma, double initial_scale, double forward, bool cocoercive,
    int refine, bool gradient_direction, const Labels& groups, const Side& lower, const Side& upper,
    const Side& l1, const std::pair<double, double>& noise, std::size_t memory,
    const std::string& proposer, const py::object& backend, std::size_t threads,
    const py::object& reducer) {
  Options options;
  options.method = method;
  options.gamma = gamma;
  options.initial_scale = initial_scale;
  options.forward = forward;
  options.cocoercive = cocoercive;
  options.refine = refine;
  options.gradient_direction = gradient_direction;
  options.groups.assign(groups.data(), groups.data() + groups.size());
  options.lower.assign(lower.data(), lower.data() + lower.size());
  options.upper.assign(upper.data(), upper.data() + upper.size());
  options.l1.assign(l1.data(), l1.data() + l1.size());
  options.noise_f = noise.first;
  options.noise_g = noise.second;
  options.memory = memory;
  options.proposer = proposer;
  if (!backend.is_none())
    options.execution.backend = &find_backend(backend.cast<std::string>().c_str());
  options.execution.threads = threads;
  options.reducer = reducer_of(reducer);
  return std::make_unique<SearchState>(options);
}

}  // namespace

void bind_search(py::module_& module) {
  py::class_<SearchState> bound(module, "SearchState",
                                "A search at work: its point, its set and its counters.");
  define_init(bound, &make_search_state, py::kw_only(), "method"_a, "gamma"_a = search::kDefault,
              "initial_scale"_a = search::kDefault, "forward"_a = search::kDefault,
              "cocoercive"_a = true, "refine"_a = 0, "gradient_direction"_a = true,
              "groups"_a = Labels(0), "lower"_a = Side(0), "upper"_a = Side(0), "l1"_a = Side(0),
              "noise"_a = std::pair{0.0, 0.0}, "memory"_a = Options{}.memory,
              "proposer"_a = Options{}.proposer, "backend"_a = py::none(), "threads"_a = 0,
              "reducer"_a = py::none());
  bound
      .def("init", &SearchState::init, "x"_a, "f"_a, "g"_a,
           "Start at x, where the objective is f and its gradient g.")
      .def(
          "init_from", &SearchState::init_from, "x"_a, "f"_a, "g"_a, "earlier"_a, "l2"_a,
          "The same with what an earlier search has learnt; l2: that of its objective and of this.")
      .def(
          "propose",
          [](py::object self, bool copy) {
            SearchState& state = self.cast<SearchState&>();
            return copy ? state.propose() : state.lent(state.propose_async(), self);
          },
          "copy"_a = true,
          "The point to evaluate next: a copy, or the search's own memory, to be read until judge.")
      .def("judge", &SearchState::judge, "f"_a, "g"_a,
           "Take f and g at the proposed point; True when x moved there.")
      .def("fail", &SearchState::fail, "words"_a,
           "Tell the other shards, if there are any, that this one ends with these words.")
      .def("judge_async", &SearchState::judge_async, "f"_a, "g"_a,
           "The same in the order of g's stream, without waiting for it.")
      .def(
          "converged",
          [](SearchState& self, double gtol) {
            return self.asked([=](Search& search) { return search.converged(gtol); });
          },
          "gtol"_a)
      .def("save", &SearchState::save, "Copies of all arrays and numbers, by name.")
      .def("entry", &SearchState::entry, "name"_a, "One of what save gives.")
      .def("names", &SearchState::names, "The names of what save gives.")
      .def("load", &SearchState::load, "saved"_a, "device"_a = py::none(),
           "Continue from what save gave, on the CPU or on a CUDA device.")
      .def("layout", &SearchState::layout, "size"_a, "dtype"_a,
           "The count of a state's numbers; dtype, most rows and columns of its arrays by name.")
      .def("step_sizes", &SearchState::step_sizes)
      .def("active", &SearchState::active)
      .def_property_readonly("x",
                             [](py::object self) {
                               SearchState& state = self.cast<SearchState&>();
                               return state.shown(
                                   *state.asked([](Search& search) { return &search.x(); }), self);
                             })
      .def_property_readonly("g",
                             [](py::object self) {
                               SearchState& state = self.cast<SearchState&>();
                               return state.shown(
                                   *state.asked([](Search& search) { return &search.g(); }), self);
                             })
      .def_property_readonly("device",
                             [](const SearchState& self) {
                               const Location& location = self.search().location();
                               return location.on_cpu() ? std::nullopt
                                                        : std::optional(location.device);
                             })
      .def_property_readonly("f", &SearchState::number<&Search::f>)
      .def_property_readonly("gmax", &SearchState::number<&Search::gmax>)
      .def_property_readonly("trial_f", &SearchState::number<&Search::trial_f>)
      .def_property_readonly("trial_gmax", &SearchState::number<&Search::trial_gmax>)
      .def_property_readonly("ncut", &SearchState::number<&Search::ncut>)
      .def_property_readonly("accepted", &SearchState::number<&Search::accepted>)
      .def_property_readonly("evaluations", &SearchState::number<&Search::evaluations>)
      .def_property_readonly("status", [](SearchState& self) {
        return static_cast<std::int64_t>(
            self.asked([](Search& search) { return search.status(); }));
      });
  module.def("copied", &copied, "array"_a, "what"_a,
             "Copy an array on a device to memory of its own there, flat.");
}

}  // namespace mdbopt::bind
