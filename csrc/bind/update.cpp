// update – the steps of first-order optimizers over nested arrays.
#include "update.h"

#include <mdbopt/error.h>
#include <pybind11/stl.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../engine/check.h"
#include "../runtime/device.h"
#include "../update/start.h"
#include "bind.h"
#include "codes.h"
#include "constructor.h"
#include "device_array.h"
#include "dlpack.h"
#include "reducer.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

// `before`: the reducer that there is already, which shards have met by.
Updater::Options options_of(const py::dict& given, const std::string& optimizer,
                            const std::shared_ptr<Reducer>& before = nullptr) {
  Updater::Options options;
  options.name = optimizer;
  options.rule = find_rule(given["rule"].cast<std::string>().c_str());
  const Description& rule = rule_description(options.rule);
  const auto scalars = given["scalars"].cast<py::dict>();
  options.decay = given["decay"].cast<std::string>();
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    const char* name = rule.scalars[k].name;
    const bool known = scalars.contains(name);
    options.scalars.push_back(known ? scalars[name].cast<double>() : rule.scalars[k].fallback);
  }
  options.maximize = given["maximize"].cast<bool>();
  options.seed = given["seed"].cast<std::uint64_t>();
  options.execution.stochastic = given["stochastic"].cast<bool>();
  options.execution.flush_subnormals = given["flush_subnormals"].cast<bool>();
  options.execution.threads = given["threads"].cast<std::size_t>();
  const auto backend = given["backend"].cast<std::optional<std::string>>();
  if (backend) options.execution.backend = &find_backend(backend->c_str());
  const auto max_update = given["max_update"].cast<std::optional<double>>();
  if (max_update) options.finish.max_update = *max_update;
  options.finish.l1 = given["l1"].cast<double>();
  const auto average = given["average"].cast<std::optional<double>>();
  if (average) options.finish.average = *average;
  options.finish.cautious = given["cautious"].cast<bool>();
  options.finish.cautious_weight_decay = given["cautious_weight_decay"].cast<bool>();
  if (const py::object reducer = given["reducer"]; !reducer.is_none()) {
    const auto* known = dynamic_cast<const CallableReducer*>(before.get());
    options.reducer = known != nullptr && known->is(reducer) ? before : reducer_of(reducer);
  }
  return options;
}

std::size_t stream_named(const Description& rule, const std::string& name) {
  std::size_t k = 0;
  while (name != rule.streams[k].name) ++k;
  return k;
}

std::unique_ptr<Update> make_update(const py::dict& options, const std::string& optimizer,
                                    const py::dict& state,
                                    const std::optional<std::string>& dtype) {
  return std::make_unique<Update>(options, optimizer, state, dtype);
}

}  // namespace

Update::Update(const py::dict& options, const std::string& optimizer, const py::dict& state,
               const std::optional<std::string>& dtype)
    : updater_(options_of(options, optimizer)), decays_(options["decays"]) {
  if (dtype) accepted_.bits = half_named(*dtype);
  trees_.optimizer = optimizer;
  trees_.names = {"params", "grads"};
  trees_.roots.resize(2);
  const Description& rule = updater_.rule();
  trees_.formats.assign(rule.stream_count, Format::kPlain);
  for (const auto& [name, format] : options["formats"].cast<py::dict>()) {
    trees_.formats[stream_named(rule, name.cast<std::string>())] =
        format_named(format.cast<std::string>());
  }
  if (trees_.formats[0] == Format::kRemainder) trees_.low = state["low"];
  read_as(options);
  for (std::size_t k = 2; k < rule.stream_count; ++k) {
    trees_.names.push_back(std::string("state.") + rule.streams[k].name);
    trees_.roots.push_back(state[rule.streams[k].name]);
  }
  if (updater_.options().finish.averages()) {
    trees_.names.emplace_back("state.average");
    trees_.roots.push_back(state["average"]);
    trees_.formats.push_back(Format::kPlain);
  }
}

void Update::read_as(const py::dict& options) {
  trees_.finished = updater_.options().finish.any();
  trees_.stochastic = options["stochastic"].cast<bool>();
  trees_.stochastic_state = options["stochastic_state"].cast<bool>();
}

// What a call lends goes back at its end, also when it throws.
struct Update::Borrow {
  Update& owner;
  ~Borrow() {
    owner.leaves_.release();
    owner.trees_.roots[0] = owner.trees_.roots[1] = py::object();
    owner.trees_.lr = owner.trees_.copy = owner.trees_.decay = owner.trees_.rows = py::object();
  }
};

auto Update::refuse_worker() const {
  return [this] {
    throw Error(trees_.optimizer +
                ": state: another thread is stepping it, expected one at a time");
  };
}

void Update::configure(const py::dict& options) {
  const Alone alone(worker_, refuse_worker());
  updater_.configure(options_of(options, trees_.optimizer, updater_.options().reducer));
  read_as(options);
  decays_ = options["decays"];
}

py::object Update::step(const py::object& params, const py::object& grads, const py::object& lr,
                        double grad_scale, bool skip, double max_norm, const py::object& copy,
                        const py::object& scalars, const py::object& there,
                        const py::object& weight_decay, const std::optional<double>& norm,
                        const py::object& rows) {
  const Alone alone(worker_, refuse_worker());
  trees_.rows = rows;
  try {
    return stepped(params, grads, lr, grad_scale, skip, max_norm, copy, scalars, there,
                   weight_decay, norm);
  } catch (const std::exception& error) {
    updater_.fail(error.what(), max_norm > 0.0 && !norm);
    throw;
  }
}

void Update::read_gradients(const py::object& params, const py::object& grads,
                            const py::object& rows) {
  trees_.roots[0] = params;
  trees_.roots[1] = grads;
  trees_.lr = py::float_(0.0);
  trees_.copy = trees_.decay = py::none();
  trees_.rows = rows;
  read();
}

void Update::check(const py::object& params, const py::object& grads, const py::object& rows) {
  const Alone alone(worker_, refuse_worker());
  const Borrow borrowed{*this};
  read_gradients(params, grads, rows);
}

void Update::meet(const py::object& params, const py::object& grads, double max_norm,
                  const py::object& rows) {
  const Alone alone(worker_, refuse_worker());
  const Borrow borrowed{*this};
  read_gradients(params, grads, rows);
  const py::gil_scoped_release release;
  updater_.meet(leaves_.groups, leaves_.jobs, {1.0, max_norm, leaves_.location()});
}

double Update::norm(const py::object& params, const py::object& grads, double grad_scale,
                    const py::object& rows) {
  const Alone alone(worker_, refuse_worker());
  const Borrow borrowed{*this};
  read_gradients(params, grads, rows);
  const py::gil_scoped_release release;
  updater_.meet(leaves_.groups, leaves_.jobs, {1.0, 0.0, leaves_.location()});
  return updater_.norm(leaves_.groups, leaves_.jobs, grad_scale, leaves_.location());
}

py::object Update::step_again(std::span<const char* const> gradients, std::span<const double> rates,
                              std::span<const double> decays, double max_norm,
                              const py::list& params) {
  const Alone alone(worker_, refuse_worker());
  if (!leaves_.read_again(gradients, rates, decays)) return {};
  const double norm = updater_.step(leaves_.groups, leaves_.jobs, {1.0, max_norm});
  count_versions(params);
  return max_norm > 0.0 ? py::object(py::float_(norm)) : py::bool_(true);
}

std::uint64_t Update::t() {
  const Looking looking(worker_, refuse_worker());
  return updater_.t();
}

void Update::set_t(std::uint64_t t) {
  const Looking looking(worker_, refuse_worker());
  updater_.set_t(t);
}

void Update::set_number(const std::string& name, double value) {
  const Looking looking(worker_, refuse_worker());
  updater_.set_number(name, value);
}

void Update::set_numbers(const std::string& name, const std::vector<double>& values) {
  const Looking looking(worker_, refuse_worker());
  updater_.set_number(name, std::span<const double>(values));
}

py::dict Update::numbers() {
  const Looking looking(worker_, refuse_worker());
  py::dict numbers;
  const bool each = updater_.keeps_each();
  for (const Updater::Number& number : updater_.numbers()) {
    numbers[number.name] =
        each ? py::object(py::tuple(py::cast(number.each))) : py::object(py::float_(number.value));
  }
  return numbers;
}

py::object Update::stepped(const py::object& params, const py::object& grads, const py::object& lr,
                           double grad_scale, bool skip, double max_norm, const py::object& copy,
                           const py::object& scalars, const py::object& there,
                           const py::object& weight_decay,
                           const std::optional<double>& norm_of_all) {
  const Borrow borrowed{*this};
  trees_.roots[0] = params;
  trees_.roots[1] = grads;
  trees_.lr = lr;
  trees_.copy = copy;
  trees_.decay = weight_decay.is_none() ? decays_ : weight_decay;
  trees_.one_decay = updater_.one_decay();
  read();
  if (skip) return py::bool_(false);
  Updater::Call call{grad_scale, max_norm, leaves_.location()};
  call.norm = norm_of_all;
  check_cpu_options(trees_.optimizer, updater_.options().execution, call.location,
                    "None for parameters");
  std::vector<Borrowed> numbers;
  if (!there.is_none()) read_there(there.cast<py::dict>(), call, numbers);
  if (!scalars.is_none()) {
    for (const auto& [name, value] : scalars.cast<py::dict>()) {
      updater_.set_scalar(name.cast<std::string>(), value.cast<double>());
    }
  }
  const CallStream before = std::exchange(at_, leaves_.where());
  DeviceArray norm_there;
  if (max_norm > 0.0 && !call.norm && !call.location.on_cpu() &&
      !device_library().capturing(call.location)) {
    norm_there.memory = std::make_shared<DeviceMemory>(call.location, sizeof(double));
  }
  double norm = 0.0;
  if (leaves_.held()) {
    const py::gil_scoped_release release;
    norm = updater_.step(leaves_.groups, leaves_.jobs, call);
  } else {
    norm = updater_.step(leaves_.groups, leaves_.jobs, call);
  }
  count_versions(leaves_.counting_versions);
  if (const auto arrays = leaves_.take_not_finite(); !arrays.empty()) {
    py::module_::import("mdbopt.optimizers._storage")
        .attr("warn_not_finite")(trees_.optimizer, arrays);
  }
  if (max_norm > 0.0 && (call.norm || call.location.on_cpu())) {
    return py::float_(call.norm.value_or(norm));
  }
  if (norm_there.memory == nullptr) return py::bool_(true);
  updater_.copy_norm(norm_there.memory->data());
  return py::module_::import("mdbopt._arrays")
      .attr("Library")(leaves_.first())
      .attr("from_device")(std::move(norm_there));
}

// Generators, views and mappings among the trees, which a refused reading has not touched, are
// listed before a second one.
void Update::read() {
  try {
    leaves_.read(updater_.rule(), trees_, accepted_);
    return;
  } catch (const Error&) {
    if (!list_trees()) throw;
  }
  leaves_.read(updater_.rule(), trees_, accepted_);
}

bool Update::list_trees() {
  const py::object plain = py::module_::import("mdbopt._foreign").attr("plain");
  bool listed = false;
  try {
    for (py::object* tree :
         {&trees_.roots[0], &trees_.roots[1], &trees_.lr, &trees_.copy, &trees_.decay}) {
      const py::object given = std::exchange(*tree, plain(*tree));
      listed = listed || !given.is(*tree);
    }
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_RecursionError)) throw;  // of a tree that holds itself
  }
  return listed;
}

// Numbers that the step reads on the device when it runs.
void Update::read_there(const py::dict& there, Updater::Call& call,
                        std::vector<Borrowed>& numbers) const {
  CallStream where = leaves_.where();
  for (const auto& [name, array] : there) {
    const std::string key = name.cast<std::string>();
    const std::string what = trees_.optimizer + ": " + key;
    if (call.location.on_cpu()) {
      throw Error(what +
                  " lives on a device, expected a number or an array on the CPU (as params)");
    }
    numbers.push_back(borrow(array, what, {true}, &where));
    const Tensor& tensor = numbers.back().tensor;
    if (tensor.location.device != call.location.device) {
      throw Error(what + " lives on " + memory_name(tensor.location.device) + ", expected " +
                  memory_name(call.location.device) + " (as params)");
    }
    if (tensor.size != 1) {
      throw Error(what + " has " + std::to_string(tensor.size) + " elements, expected one");
    }
    DeviceNumber& number = key == "lr"           ? call.lr_there
                           : key == "grad_scale" ? call.grad_scale_there
                                                 : call.found_inf_there;
    number = {0.0, tensor.data, tensor.dtype};
  }
}

void bind_update(py::module_& module) {
  module.def("state_start", &start_of, "stream"_a,
             "What a stream of a state holds before the first step; None: the parameters.");
  py::class_<Update> update(module, "Update", "An optimizer at work on one state.");
  define_init(update, &make_update, "options"_a, "optimizer"_a, "state"_a, "dtype"_a = py::none());
  update.def("configure", &Update::configure, "options"_a)
      .def("step", &Update::step, "params"_a, "grads"_a, "lr"_a, "grad_scale"_a, "skip"_a,
           "max_norm"_a, "copy"_a, "scalars"_a = py::none(), "there"_a = py::none(),
           "weight_decay"_a = py::none(), "norm"_a = py::none(), "rows"_a = py::none())
      .def("check", &Update::check, "params"_a, "grads"_a, "rows"_a = py::none())
      .def("share", &Update::share, "other"_a)
      .def("meet", &Update::meet, "params"_a, "grads"_a, "max_norm"_a, "rows"_a = py::none())
      .def("norm", &Update::norm, "params"_a, "grads"_a, "grad_scale"_a = 1.0,
           "rows"_a = py::none())
      .def_property("t", &Update::t, &Update::set_t)
      .def(
          "fail",
          [](Update& self, const std::string& words, bool bounds) {
            self.updater().fail(words.c_str(), bounds);
          },
          "words"_a, "bounds"_a)
      .def("numbers", &Update::numbers)
      .def("set_number", &Update::set_number, "name"_a, "value"_a)
      .def("set_numbers", &Update::set_numbers, "name"_a, "values"_a);
}

}  // namespace mdbopt::bind
