// reducer – a Python callable as the way in which shards meet.
#pragma once

#include <mdbopt/error.h>
#include <mdbopt/reducer.h>
#include <pybind11/numpy.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mdbopt::bind {

// Calls it with an array of n numbers and expects one of shape (shards, n).
class CallableReducer final : public Reducer {
 public:
  explicit CallableReducer(pybind11::object callable) : callable_(std::move(callable)) {}

  void gather(std::span<const double> mine, std::vector<double>& all) override {
    namespace py = pybind11;
    const py::gil_scoped_acquire lock;
    if (interrupted_) throw ShardError("reducer: interrupted, expected no further call");
    const auto size = static_cast<py::ssize_t>(mine.size());
    py::object answer;
    try {
      answer = callable_(py::array_t<double>(size, mine.data()));
    } catch (const py::error_already_set& error) {
      interrupted_ = !error.matches(PyExc_Exception);
      throw;
    }
    using Numbers = py::array_t<double, py::array::c_style | py::array::forcecast>;
    const Numbers numbers = Numbers::ensure(answer);
    if (!numbers) {
      PyErr_Clear();
      throw TypeError("reducer: expected an array of shape (shards, " + std::to_string(size) +
                      "), got " + std::string(py::str(py::type::of(answer).attr("__name__"))));
    }
    if (numbers.ndim() != 2 || numbers.shape(1) != size) {
      throw Error("reducer: expected an array of shape (shards, " + std::to_string(size) +
                  "), got " + std::string(py::str(numbers.attr("shape"))));
    }
    all.assign(numbers.data(), numbers.data() + numbers.size());
  }

  bool is(const pybind11::object& callable) const { return callable_.is(callable); }

 private:
  pybind11::object callable_;
  bool interrupted_ = false;  // the user wants an end, not another message
};

// Null for None.
inline std::shared_ptr<Reducer> reducer_of(const pybind11::object& callable) {
  if (callable.is_none()) return nullptr;
  return std::make_shared<CallableReducer>(callable);
}

}  // namespace mdbopt::bind
