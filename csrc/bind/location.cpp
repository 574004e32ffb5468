// location – finding the stream that a library works on.
#include "location.h"

#include <mdbopt/error.h>

#include <atomic>
#include <cstdint>

#include "../engine/check.h"
#include "../runtime/device.h"
#include "library.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

// Devices that can be used; 0 while none has been found.
int device_count() {
  static std::atomic<int> found{0};
  int count = found.load(std::memory_order_relaxed);
  if (count == 0 && no_device_because().empty()) {
    std::string why;
    count = device_library().count(why);
    found = count;
  }
  return count;
}

void* handle_of(const py::object& number) {
  return reinterpret_cast<void*>(number.cast<std::uintptr_t>());
}

}  // namespace

AsCurrent::AsCurrent(const ArrayLibrary& library, int device) {
  if (library.torch) {
    const py::object cuda = py::module_::import("torch").attr("cuda");
    if (cuda.attr("current_device")().cast<int>() == device) return;
    context_ = cuda.attr("device")(device);
  } else if (library.cupy) {
    const py::object cuda = py::module_::import("cupy").attr("cuda");
    if (cuda.attr("runtime").attr("getDevice")().cast<int>() == device) return;
    context_ = cuda.attr("Device")(device);
  } else {
    return;
  }
  context_.attr("__enter__")();
  entered_ = true;
}

AsCurrent::~AsCurrent() {
  if (!entered_) return;
  const py::error_scope raised;  // what is on its way goes on after this
  try {
    context_.attr("__exit__")(py::none(), py::none(), py::none());
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("going back to the current device");
  }
}

void* current_stream(py::handle array, int device, py::object& held) {
  const ArrayLibrary& library = library_of(Py_TYPE(array.ptr()));
  void* stream = nullptr;
  if (library.cupy) {  // whose streams live as long as their objects, which only Python gives
    const AsCurrent current(library, device);
    held = py::module_::import("cupy").attr("cuda").attr("get_current_stream")();
    stream = handle_of(held.attr("ptr"));
  } else if (library.functions != nullptr && library.functions->current_work_stream != nullptr) {
    if (library.functions->current_work_stream(kDLCUDA, device, &stream) != 0) {
      throw py::error_already_set();
    }
  } else if (library.torch) {
    held = py::module_::import("torch").attr("cuda").attr("current_stream")(device);
    stream = handle_of(held.attr("cuda_stream"));
  }
  return stream == nullptr ? legacy_stream() : stream;
}

void* stream_numbered(std::int64_t number, const std::string& what) {
  if (number < 0) {
    throw Error(what + ": expected the handle of a stream, got " + std::to_string(number));
  }
  return number == 0 ? legacy_stream()
                     : reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
}

std::int64_t number_of_stream(const void* stream) {
  return stream == nullptr ? 1
                           : static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(stream));
}

void require_device(int device, const std::string& what) {
  const int count = device_count();
  if (device >= 0 && device < count) return;
  const std::string lives = what + " lives on " + memory_name(device) + ", but ";
  if (count == 0) throw DeviceError(lives + "CUDA cannot be used: " + no_device_because());
  throw DeviceError(lives + "CUDA has " + std::to_string(count) +
                    (count == 1 ? " device" : " devices") + " here");
}

void require_usable(int device) {
  const int count = device_count();
  if (count == 0) throw DeviceError("CUDA cannot be used: " + no_device_because());
  if (device >= 0 && device < count) return;
  throw Error("device: expected a number from 0 to " + std::to_string(count - 1) + ", got " +
              std::to_string(device));
}

void CallStream::decide(py::handle array, int device) {
  location_ = {device, current_stream(array, device, held_)};
  functions_ = library_of(Py_TYPE(array.ptr())).functions;
}

void CallStream::meet(py::handle array, int device, const std::string& what) {
  require_device(device, what);
  if (location_.on_cpu()) decide(array, device);
}

bool CallStream::shares(py::handle array, int device) {
  if (device < 0 || device >= device_count()) return false;
  if (location_.on_cpu()) decide(array, device);
  if (device != location_.device) return true;
  if (functions_ != nullptr && library_of(Py_TYPE(array.ptr())).functions == functions_)
    return true;
  py::object held;
  return current_stream(array, device, held) == location_.stream;
}

// Work on two devices is refused, so nothing has to wait for an array on another.
std::int64_t CallStream::number_for(int device) const {
  return device == location_.device ? number_of_stream(location_.stream) : -1;
}

}  // namespace mdbopt::bind
