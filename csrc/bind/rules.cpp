// rules – running one rule on borrowed arrays, and describing rules, backends and traffic.
#include <mdbopt/error.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../engine/check.h"
#include "../engine/launch.h"
#include "../engine/reduction.h"
#include "array.h"
#include "bind.h"
#include "dlpack.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

const char* role_name(Role role) {
  if (role == Role::kIn) return "in";
  return role == Role::kOut ? "out" : "inout";
}

// A stream's dtype by the dtype of the call.
py::dict dtypes_of(const Description& rule, const Stream& stream) {
  py::dict dtypes;
  for (std::size_t k = 0; k < kDtypeCount; ++k) {
    const auto dtype = static_cast<Dtype>(k);
    if (is_half(dtype) && !rule.half) continue;
    dtypes[info(dtype).name] = info(stored_dtype(stream.storage, dtype)).name;
  }
  return dtypes;
}

py::dict describe(std::size_t index) {
  const Description& rule = rule_description(index);
  py::list streams, scalars, sums;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    streams.append(py::make_tuple(stream.name, role_name(stream.role), dtypes_of(rule, stream),
                                  (rule.gather_reads >> k & 1U) != 0 && stream.role != Role::kOut));
  }
  for (std::size_t k = 0; k < rule.scalar_count; ++k) {
    scalars.append(py::make_tuple(rule.scalars[k].name, rule.scalars[k].fallback));
  }
  for (std::size_t k = 0; k < rule.sum_count(); ++k) {
    sums.append(py::make_tuple(rule.sum(k).name, rule.sum(k).fold == Fold::kAdd ? "add" : "max"));
  }
  py::dict bytes;
  for (std::size_t k = 0; k < kDtypeCount; ++k) {
    const auto dtype = static_cast<Dtype>(k);
    if (is_half(dtype) && !rule.half) continue;
    bytes[kDtypes[k].name] = gather_bytes(rule, dtype) + apply_bytes(rule, dtype);
  }
  return py::dict("name"_a = rule.name, "summary"_a = rule.summary, "streams"_a = streams,
                  "scalars"_a = scalars, "sums"_a = sums,
                  "walks"_a = int{rule.gathered_count > 0} + int{rule.applies}, "bytes"_a = bytes,
                  "update"_a = rule.update, "takes_lr"_a = rule.takes_lr,
                  "per_array"_a = rule.scope == Scope::kArray,
                  "folds"_a = rule.gathered_count + rule.emitted_count > 0);
}

// The arguments of a call: as they are by a glance; else what is written is borrowed, and what is only
// read is taken in any form that holds the same numbers.
class Streams {
 public:
  std::vector<Tensor> tensors;
  CallStream where;

  Streams(const Description& rule, const py::args& arguments, const Accepted& accepted)
      : tensors(arguments.size()) {
    check_stream_count(rule, tensors.size());
    std::size_t taken = 0;
    for (View view; taken < tensors.size() && glance(arguments[taken], view, accepted, &where);
         ++taken) {
      tensors[taken] = view.tensor;
    }
    if (taken < tensors.size() || widens(rule)) take_all(rule, arguments, accepted);
  }

  // Numbers beside the streams, that an update only reads.
  Borrowed numbers(const Description& rule, const char* name, py::handle array, Dtype dtype) {
    return read(array, named(rule, name), {dtype, {}, {}, &order()}, {}, &where);
  }

  // Elements are walked in the order of memory, which must be the same for all.
  void check_same_order(const Description& rule) const {
    for (std::size_t k = 0; k < arrays_.size(); ++k) {
      check_order(rule, rule.streams[k].name, arrays_[k]);
    }
  }
  void check_order(const Description& rule, const char* name, const Borrowed& array) const {
    const Borrowed& first = order();
    if (first.row_major() && array.row_major()) return;
    if (array.shape == first.shape && same_order(view_of(array), view_of(first))) return;
    throw Error(named(rule, name) + " orders its elements in memory unlike stream '" +
                rule.streams[order_].name + "', expected the same shape and strides");
  }

 private:
  static std::string named(const Description& rule, const char* name) {
    return std::string(rule.name) + ": stream '" + name + "'";
  }

  // Whether a stream on the CPU that is only read comes in another dtype than the call has.
  bool widens(const Description& rule) const {
    const Dtype dtype = call_dtype(rule, tensors[leading_stream(rule)].dtype);
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      const Stream& stream = rule.streams[k];
      if (stream.role == Role::kIn && tensors[k].dtype != stored_dtype(stream.storage, dtype) &&
          tensors[k].location.on_cpu()) {
        return true;
      }
    }
    return false;
  }

  const Borrowed& order() const { return arrays_.empty() ? kRowMajor : arrays_[order_]; }

  void take_all(const Description& rule, const py::args& arguments, const Accepted& accepted) {
    const std::size_t count = tensors.size();
    const std::size_t leader = leading_stream(rule);
    arrays_.resize(count);
    std::vector<bool> taken(count);
    bool ordered = false;
    const auto keep = [&](std::size_t k, Borrowed array) {
      arrays_[k] = std::move(array);
      tensors[k] = arrays_[k].tensor;
      taken[k] = true;
      if (!ordered) order_ = k;
      ordered = true;
    };
    for (std::size_t k = 0; k < count; ++k) {
      if (rule.streams[k].role == Role::kIn && !cuda_device_of(arguments[k])) continue;
      keep(k, borrow(arguments[k], named(rule, rule.streams[k].name), accepted, &where));
    }
    const auto take = [&](std::size_t k, std::optional<Dtype> dtype) {
      if (taken[k]) return;
      Wanted wanted{dtype};
      if (ordered) {
        wanted.size = arrays_[order_].tensor.size;
        wanted.like = " (as '" + std::string(rule.streams[order_].name) + "')";
        wanted.order = &arrays_[order_];
      }
      keep(k, read(arguments[k], named(rule, rule.streams[k].name), wanted, accepted, &where));
    };
    take(leader, {});
    const Dtype dtype = call_dtype(rule, tensors[leader].dtype);
    for (std::size_t k = 0; k < count; ++k) take(k, stored_dtype(rule.streams[k].storage, dtype));
  }

  std::vector<Borrowed> arrays_;
  std::size_t order_ = 0;  // the one that says in which order memory is walked
};

// What an update, or what follows one, takes besides streams and scalars.
struct UpdateArguments {
  Borrowed step_sizes, copy;
  Extras extras;
  double lr = 1.0;

  UpdateArguments(const Description& rule, Streams& streams, const py::object& rate,
                  const py::object& image) {
    if (PyFloat_CheckExact(rate.ptr())) {
      lr = PyFloat_AS_DOUBLE(rate.ptr());
    } else if (!rate.is_none()) {
      step_sizes = streams.numbers(rule, "lr", rate, arithmetic_dtype(streams.tensors[0].dtype));
      streams.check_order(rule, "lr", step_sizes);
      extras.step_sizes = &step_sizes.tensor;
    }
    if (!image.is_none()) {
      copy = borrow(image, std::string(rule.name) + ": stream 'copy'", {true, Dtype::kBFloat16},
                    &streams.where);
      streams.check_order(rule, "copy", copy);
      extras.copy = &copy.tensor;
    }
  }
};

void count_written(const Description& rule, const py::args& streams, const py::object& copy) {
  std::vector<py::handle> written;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const py::handle stream = streams[k];
    if (rule.streams[k].role != Role::kIn && counts_versions(stream)) written.push_back(stream);
  }
  if (counts_versions(copy)) written.push_back(copy);
  count_versions(written);
}

py::tuple run(std::size_t index, const py::args& streams, const py::tuple& scalars,
              const py::object& backend, std::size_t threads, const py::object& lr,
              const py::object& copy, const py::object& dtype_name, bool flush_subnormals,
              const std::optional<std::uint64_t>& seed) {
  if (index >= rule_count()) throw Error("rule: no rule has this index");
  const Description& rule = rule_description(index);
  Accepted accepted{rule.half};
  if (!dtype_name.is_none()) accepted.bits = half_named(dtype_name.cast<std::string>());
  Streams borrowed(rule, streams, accepted);
  const UpdateArguments update(rule, borrowed, lr, copy);
  const Dtype dtype = check_streams(rule, borrowed.tensors, update.extras);
  borrowed.check_same_order(rule);
  double values[kMaxScalars];
  if (scalars.size() != rule.scalar_count)
    throw Error(std::string(rule.name) + ": wrong number of scalars");
  for (std::size_t k = 0; k < rule.scalar_count; ++k) values[k] = scalars[k].cast<double>();
  Execution execution{nullptr, threads, flush_subnormals};
  if (!backend.is_none()) execution.backend = &find_backend(backend.cast<std::string>().c_str());
  if (seed) {
    execution.stochastic = true;
    execution.key = rounding_key(*seed, 0);
  }
  if (!borrowed.tensors[0].location.on_cpu()) execution.location = borrowed.where.location();
  check_cpu_options(rule.name, execution, execution.location, "none for arrays");
  if (flush_subnormals && !execution.location.on_cpu()) {
    throw Error(std::string(rule.name) + ": flush_subnormals: expected False for arrays on " +
                memory_name(execution.location.device) + ", got True");
  }
  void* pointers[kMaxStreams];
  for (std::size_t k = 0; k < borrowed.tensors.size(); ++k) pointers[k] = borrowed.tensors[k].data;
  Job job{pointers, borrowed.tensors[0].size, update.lr};
  if (update.extras.step_sizes != nullptr) job.step_sizes = update.step_sizes.tensor.data;
  if (update.extras.copy != nullptr) job.copy = update.copy.tensor.data;
  double sums[kMaxSums];
  bool applied = false;
  {
    py::gil_scoped_release release;
    applied = launch(index, dtype, {&job, 1}, values, sums, execution);
  }
  if (applied) count_written(rule, streams, copy);
  py::tuple result(rule.sum_count() + 1);
  for (std::size_t k = 0; k < rule.sum_count(); ++k) result[k] = sums[k];
  result[rule.sum_count()] = applied;
  return result;
}

}  // namespace

void bind_rules(py::module_& module) {
  module.def("run", &run, "rule"_a, py::pos_only(), "scalars"_a, "backend"_a = py::none(),
             "threads"_a = 0, "lr"_a = py::none(), "copy"_a = py::none(), "dtype"_a = py::none(),
             "flush_subnormals"_a = false, "seed"_a = py::none(),
             "Run one rule on streams; returns its sums and whether it was applied.");
  module.def(
      "rules",
      [] {
        py::list all;
        for (std::size_t k = 0; k < rule_count(); ++k) all.append(describe(k));
        return all;
      },
      "Describe every rule.");
  module.def(
      "backends",
      [] {
        py::list all;
        for (std::size_t k = 0; k < backend_count(); ++k) {
          const Backend& backend = backend_at(k);
          all.append(
              py::make_tuple(backend.name, backend.supported(), &backend == &active_backend()));
        }
        return all;
      },
      "Every compiled backend: name, whether it runs here, whether it is active.");
  module.def("threads", [] { return threads_of({}); }, "Threads that a call uses by default.");
  module.def(
      "take_traffic",
      [] {
        const Traffic counted = std::exchange(traffic(), {});
        return py::make_tuple(counted.walks, counted.bytes);
      },
      "Walks over memory and bytes moved by this thread since the last call.");
  module.def(
      "take_reductions",
      [] {
        const Exchanged counted = std::exchange(exchanged(), {});
        return py::make_tuple(counted.messages, counted.bytes);
      },
      "Messages and bytes given to other shards by this thread since the last call.");
}

}  // namespace mdbopt::bind
