// rules – running one rule on borrowed arrays, and describing rules, backends and traffic.
#include <string>
#include <vector>

#include "../dlpack.h"
#include "../error.h"
#include "../launch.h"
#include "bind.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

const char* role_name(Role role) {
  if (role == Role::kIn) return "in";
  return role == Role::kOut ? "out" : "inout";
}

py::dict describe(std::size_t index) {
  const Description& rule = rule_description(index);
  py::list streams, scalars, sums;
  for (std::size_t k = 0; k < rule.stream_count; ++k) {
    const Stream& stream = rule.streams[k];
    const Storage storage = stream.storage;
    const bool fixed = storage != Storage::kElement;
    streams.append(py::make_tuple(stream.name, role_name(stream.role),
                                  fixed ? info(stored_dtype(storage, Dtype::kFloat64)).name : ""));
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
    bytes[kDtypes[k].name] = gather_bytes(rule, dtype) + apply_bytes(rule, dtype);
  }
  return py::dict("name"_a = rule.name, "summary"_a = rule.summary, "streams"_a = streams,
                  "scalars"_a = scalars, "sums"_a = sums,
                  "walks"_a = int{rule.gathered_count > 0} + int{rule.applies}, "bytes"_a = bytes);
}

// The arguments of a call: NumPy arrays in row-major order without a detour, else all through borrow.
class Streams {
 public:
  std::vector<Tensor> tensors;

  Streams(const Description& rule, const py::args& arguments) : tensors(arguments.size()) {
    std::size_t taken = 0;
    while (taken < tensors.size() && borrow_numpy(arguments[taken], tensors[taken])) ++taken;
    if (taken == tensors.size()) return;
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      const bool named = k < rule.stream_count;
      const std::string name = named ? "'" + std::string(rule.streams[k].name) + "'" : "argument";
      arrays_.push_back(borrow(arguments[k], std::string(rule.name) + ": stream " + name));
      tensors[k] = arrays_.back().tensor;
    }
  }

  // Elements are walked in the order of memory, which must be the same for all.
  void check_same_order(const Description& rule) const {
    for (std::size_t k = 0; k < arrays_.size(); ++k) {
      if (arrays_[k].row_major() && arrays_[0].row_major()) continue;
      if (arrays_[k].shape != arrays_[0].shape || arrays_[k].strides != arrays_[0].strides) {
        throw Error(std::string(rule.name) + ": stream '" + rule.streams[k].name +
                    "' orders its elements in memory unlike stream '" + rule.streams[0].name +
                    "', expected the same shape and strides");
      }
    }
  }

 private:
  std::vector<Borrowed> arrays_;
};

py::tuple run(std::size_t index, const py::args& streams, const py::tuple& scalars,
              const py::object& backend, std::size_t threads) {
  if (index >= rule_count()) throw Error("rule: no rule has this index");
  const Description& rule = rule_description(index);
  const Streams borrowed(rule, streams);
  const Dtype dtype = check_streams(rule, borrowed.tensors);
  borrowed.check_same_order(rule);
  double values[kMaxScalars];
  if (scalars.size() != rule.scalar_count)
    throw Error(std::string(rule.name) + ": wrong number of scalars");
  for (std::size_t k = 0; k < rule.scalar_count; ++k) values[k] = scalars[k].cast<double>();
  Execution execution{nullptr, threads};
  if (!backend.is_none()) execution.backend = &find_backend(backend.cast<std::string>().c_str());
  void* pointers[kMaxStreams];
  for (std::size_t k = 0; k < borrowed.tensors.size(); ++k) pointers[k] = borrowed.tensors[k].data;
  const Job job{pointers, borrowed.tensors[0].size};
  double sums[kMaxSums];
  bool applied = false;
  {
    py::gil_scoped_release release;
    applied = launch(index, dtype, {&job, 1}, values, sums, execution);
  }
  py::tuple result(rule.sum_count() + 1);
  for (std::size_t k = 0; k < rule.sum_count(); ++k) result[k] = sums[k];
  result[rule.sum_count()] = applied;
  return result;
}

}  // namespace

void bind_rules(py::module_& module) {
  module.def("run", &run, "rule"_a, py::pos_only(), "scalars"_a, "backend"_a = py::none(),
             "threads"_a = 0,
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
        const Traffic counted = traffic();
        traffic() = {};
        return py::make_tuple(counted.walks, counted.bytes);
      },
      "Walks over memory and bytes moved by this thread since the last call.");
}

}  // namespace mdbopt::bind
