// search_fields – the state of a search as a flat mapping of names to numbers and NumPy arrays.
#pragma once

#include <cstdint>
#include <string>

#include "../error.h"
#include "../search/fields.h"
#include "array.h"
#include "numpy.h"

namespace mdbopt::bind {

// Copies on the host, which are there once the search's stream has been waited for.
class Saver final : public search::Fields {
 public:
  pybind11::dict saved;
  // All fields, or one of them.
  explicit Saver(const char* only = nullptr) : only_(only) {}
  void number(const std::string& name, double& value) override {
    if (wanted(name)) saved[name.c_str()] = value;
  }
  void count(const std::string& name, std::int64_t& value) override {
    if (wanted(name)) saved[name.c_str()] = value;
  }
  void array(const std::string& name, search::Buffer& value) override {
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
  void number(const std::string& name, double&) override { all.append(name); }
  void count(const std::string& name, std::int64_t&) override { all.append(name); }
  void array(const std::string& name, search::Buffer&) override { all.append(name); }
};

// Two passes over the fields: the first only checks, so that a damaged mapping leaves no
// half-loaded search.
class Loader final : public search::Fields {
 public:
  Loader(const pybind11::dict& saved, bool write) : saved_(saved), write_(write) {}
  void number(const std::string& name, double& value) override { scalar(name, value); }
  void count(const std::string& name, std::int64_t& value) override { scalar(name, value); }
  void array(const std::string& name, search::Buffer& value) override {
    const Borrowed source = borrow(find(name), "state: '" + name + "'");
    if (source.tensor.dtype != value.dtype() || source.tensor.size != value.size()) {
      throw Error("state: '" + name + "' has " + std::to_string(source.tensor.size) +
                  " elements of " + info(source.tensor.dtype).name + ", expected " +
                  std::to_string(value.size()) + " of " + info(value.dtype()).name);
    }
    if (write_) value.write(source.tensor.data);
  }

 private:
  template <class T>
  void scalar(const std::string& name, T& value) {
    try {
      const T loaded = find(name).cast<T>();
      if (write_) value = loaded;
    } catch (const pybind11::cast_error&) {
      throw TypeError("state: '" + name + "' is not a number");
    }
  }
  pybind11::object find(const std::string& name) const {
    if (!saved_.contains(name)) throw Error("state: '" + name + "' is missing");
    pybind11::object value = saved_[name.c_str()];
    return pybind11::hasattr(value, "item") &&
                   pybind11::len(pybind11::getattr(value, "shape", pybind11::tuple())) == 0
               ? value.attr("item")()
               : value;
  }
  const pybind11::dict& saved_;
  bool write_;
};

}  // namespace mdbopt::bind
