// search_fields – the state of a search as a flat mapping of names to numbers and NumPy arrays.
#pragma once

#include <mdbopt/error.h>

#include <cstdint>
#include <string>

#include "../search/fields.h"
#include "array.h"
#include "numpy.h"

namespace mdbopt::bind {

// Words are saved as numbers, so that a state is arrays and numbers throughout: FNV-1a, to as many bits
// as any type of number holds.
inline std::int64_t mark_of(const std::string& word) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : word) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  }
  return static_cast<std::int64_t>(hash >> 11U);
}

// Copies on the host, which are there once the search's stream has been waited for.
class Saver final : public search::Fields {
 public:
  pybind11::dict saved;
  // All fields, or one of them.
  explicit Saver(const char* only = nullptr) : only_(only) {}
  void word(const std::string& name, const std::string& value) override {
    if (wanted(name)) saved[name.c_str()] = mark_of(value);
  }
  void number(const std::string& name, double& value, const search::Range&) override {
    if (wanted(name)) saved[name.c_str()] = value;
  }
  void count(const std::string& name, std::int64_t& value, std::int64_t, std::int64_t) override {
    if (wanted(name)) saved[name.c_str()] = value;
  }
  void array(const std::string& name, search::Buffer& value, const search::Range&) override {
    if (!wanted(name)) return;
    pybind11::array copy(numpy_dtype(value.dtype()), static_cast<pybind11::ssize_t>(value.size()));
    value.read(copy.mutable_data());
    saved[name.c_str()] = copy;
  }

 private:
  bool wanted(const std::string& name) const { return only_ == nullptr || name == only_; }
  const char* only_;
};

class Names final : public search::Fields {
 public:
  pybind11::list all;
  void word(const std::string& name, const std::string&) override { all.append(name); }
  void number(const std::string& name, double&, const search::Range&) override { all.append(name); }
  void count(const std::string& name, std::int64_t&, std::int64_t, std::int64_t) override {
    all.append(name);
  }
  void array(const std::string& name, search::Buffer&, const search::Range&) override {
    all.append(name);
  }
};

// Fills a fresh search, whose owner drops it where an entry is refused.
class Loader final : public search::Fields {
 public:
  explicit Loader(pybind11::object saved) : saved_(std::move(saved)) {}

  bool loading() const override { return true; }
  bool judged_async() const override { return saved_.contains("device"); }
  void agree(const std::string& name, bool holds, const char* expected) override {
    if (!holds) refuse(name, expected);
  }
  void word(const std::string& name, const std::string& value) override {
    const pybind11::object came = find(name);
    if (!whole(came)) wrong_type(name, "a whole number", came);
    if (!came.equal(pybind11::int_(mark_of(value)))) {
      refuse(name, "the mark of '" + value +
                       "' (as this search), since a state goes on with what it was saved with");
    }
  }
  void number(const std::string& name, double& value, const search::Range& range) override {
    const pybind11::object came = find(name);
    if (!PyFloat_Check(came.ptr()) && !whole(came)) wrong_type(name, "a number", came);
    const double loaded = PyFloat_AsDouble(came.ptr());
    if (loaded == -1.0 && PyErr_Occurred() != nullptr) {  // a whole number beyond any double
      PyErr_Clear();
      refuse(name, words(range));
    }
    if (!range.holds(loaded)) refuse(name, words(range));
    value = loaded;
  }
  void count(const std::string& name, std::int64_t& value, std::int64_t least,
             std::int64_t most) override {
    const pybind11::object came = find(name);
    if (!whole(came)) wrong_type(name, "a whole number", came);
    int overflow = 0;
    const std::int64_t loaded = PyLong_AsLongLongAndOverflow(came.ptr(), &overflow);
    if (overflow != 0 || loaded < least || loaded > most) {
      refuse(name, least == most ? std::to_string(least) + " (as this search)"
                                 : "a whole number from " + std::to_string(least) + " to " +
                                       std::to_string(most));
    }
    value = loaded;
  }
  void array(const std::string& name, search::Buffer& value, const search::Range& range) override {
    const Borrowed source = borrow(find(name), "state: '" + name + "'");
    const Tensor& tensor = source.tensor;
    if (tensor.dtype != value.dtype()) {
      throw TypeError("state: '" + name + "' has dtype " + info(tensor.dtype).name + ", expected " +
                      info(value.dtype()).name);
    }
    if (source.shape.size() != 1 || tensor.size != value.size()) {
      throw Error("state: '" + name + "' has shape " +
                  in_words(source.shape.data(), static_cast<int>(source.shape.size())) +
                  ", expected (" + std::to_string(value.size()) + ",)");
    }
    const auto at = [&](std::size_t i) -> double {
      if (tensor.dtype == Dtype::kFloat64) return static_cast<const double*>(tensor.data)[i];
      return static_cast<const float*>(tensor.data)[i];
    };
    for (std::size_t i = 0; i < tensor.size; ++i) {
      if (range.holds(at(i))) continue;
      refuse(name, words(range) + " everywhere", shown(at(i)) + " at index " + std::to_string(i));
    }
    value.write(tensor.data);
  }

  // Numbers come back from a file as arrays without axes.
  pybind11::object find(const std::string& name) const {
    if (!saved_.contains(name)) throw Error("state: '" + name + "' is missing");
    pybind11::object value = saved_[name.c_str()];
    return pybind11::hasattr(value, "item") &&
                   pybind11::len(pybind11::getattr(value, "shape", pybind11::tuple())) == 0
               ? value.attr("item")()
               : value;
  }

 private:
  static bool whole(const pybind11::object& value) {
    return PyLong_Check(value.ptr()) && !PyBool_Check(value.ptr());
  }
  static std::string words(const search::Range& range) {
    const std::string nan = range.unknown ? " or NaN" : "";
    if (range.least == range.most) return shown(range.least) + " (as this search)";
    if (range.least > 0.0 && range.least < 1e-300) return "a finite number > 0" + nan;
    const bool finite = range.most <= search::kLargestNumber;
    const std::string kind = finite ? "a finite number" : "a number";
    const bool below = range.most < search::kLargestNumber;
    return kind + (range.least >= 0.0 ? " >= " + shown(range.least) : "") +
           (below ? " and <= " + shown(range.most) : "") + nan;
  }
  static std::string shown(double value) {
    return pybind11::repr(pybind11::float_(value)).cast<std::string>();
  }
  [[noreturn]] void refuse(const std::string& name, const std::string& expected,
                           const std::string& came) const {
    throw Error("state: '" + name + "' is " + came.substr(0, 80) + ", expected " + expected);
  }
  [[noreturn]] void refuse(const std::string& name, const std::string& expected) const {
    const pybind11::object value = find(name);
    const bool array = pybind11::isinstance<pybind11::array>(value);
    refuse(name, expected, array ? "not" : pybind11::repr(value).cast<std::string>());
  }
  [[noreturn]] static void wrong_type(const std::string& name, const char* expected,
                                      const pybind11::object& came) {
    throw TypeError("state: '" + name + "' is of type " + type_name(came) + ", expected " +
                    expected);
  }
  pybind11::object saved_;
};

}  // namespace mdbopt::bind
