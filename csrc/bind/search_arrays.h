// search_arrays – arrays that go in and out of the calls of a search.
#pragma once

#include <mdbopt/error.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "../engine/check.h"
#include "../runtime/device.h"
#include "../search/buffer.h"
#include "array.h"
#include "device_array.h"
#include "location.h"

namespace mdbopt::bind {

// An array of a call, which is queued on `where` if it is on a device.
inline Tensor row_major(const Borrowed& array, const CallStream& where, const char* what) {
  if (!array.row_major())
    throw Error(std::string(what) + " is not in row-major (C) order; pass a copy");
  Tensor tensor = array.tensor;
  tensor.location.stream = where.location().stream;
  return tensor;
}

// A look at an array of a call, which lends it; or, where it says what is wanted and the array on the
// CPU is not that, a copy.
class Look {
 public:
  Look(const pybind11::object& array, const char* what, const std::optional<Wanted>& wanted,
       const Accepted& accepted, CallStream& where) {
    if (glance(array, view_, accepted, &where) && !(wanted && widens(*wanted))) {
      view_.tensor.location.stream = where.location().stream;
    } else {
      borrowed_ = wanted ? read(array, what, *wanted, accepted, &where)
                         : borrow(array, what, accepted, &where);
      view_.tensor = row_major(borrowed_, where, what);
    }
  }
  const Tensor& tensor() const { return view_.tensor; }

 private:
  bool widens(const Wanted& wanted) const {
    return wanted.dtype && *wanted.dtype != view_.tensor.dtype && view_.tensor.location.on_cpu();
  }

  View view_;
  Borrowed borrowed_;
};

// f beside g, as a device reads it.
inline DeviceNumber number_there(const Tensor& f, const Tensor& g) {
  if (f.size != 1) throw Error("f: expected one number, got " + std::to_string(f.size));
  if (!f.location.same_memory(g.location)) {
    throw Error("f: lives on " + memory_name(f.location.device) + ", expected " +
                memory_name(g.location.device) + " (as g)");
  }
  return {0.0, f.data, f.dtype};
}

// A device array for other libraries. It is freed while the stream that it is freed on is held.
struct Given {
  std::shared_ptr<CallStream> where;
  search::Buffer buffer;
};

inline pybind11::object given(std::shared_ptr<CallStream> where, search::Buffer buffer) {
  auto owned = std::make_unique<Given>(Given{std::move(where), std::move(buffer)});
  const Tensor tensor = owned->buffer.tensor();
  const pybind11::capsule owner(owned.get(), [](void* all) { delete static_cast<Given*>(all); });
  owned.release();
  return device_view(tensor, owner);
}

}  // namespace mdbopt::bind
