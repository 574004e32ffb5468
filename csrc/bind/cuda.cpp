// cuda – which devices there are, and waiting for them.
#include <mdbopt/error.h>
#include <pybind11/stl.h>

#include <string>

#include "../engine/check.h"
#include "../runtime/device.h"
#include "bind.h"
#include "location.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

Location default_stream_of(int device) {
  require_usable(device);
  return {device, legacy_stream()};
}

py::list devices() {
  py::list all;
  if (!no_device_because().empty()) return all;
  std::string why;
  DeviceLibrary& library = device_library();
  const int count = library.count(why);
  for (int k = 0; k < count; ++k) {
    const DeviceFacts facts = library.facts(k);
    all.append(py::make_tuple(k, facts.name, py::make_tuple(facts.major, facts.minor),
                              facts.multiprocessors, facts.memory));
  }
  return all;
}

}  // namespace

void bind_cuda(py::module_& module) {
  module.def("cuda_why_not", &no_device_because, "Why no device can be used; empty when one can.");
  module.def("cuda_devices", &devices,
             "Every device: index, name, compute capability, multiprocessors, bytes of memory.");
  module.def(
      "cuda_memory_allocated",
      [](int device) {
        const Location location = default_stream_of(device);
        return device_library().allocated(location.device);
      },
      "device"_a, "Bytes that mdbopt holds on a device.");
  module.def(
      "cuda_synchronize",
      [](int device) {
        const Location location = default_stream_of(device);
        const py::gil_scoped_release release;
        device_library().synchronize(location);
      },
      "device"_a, "Wait for the default stream of a device.");
}

}  // namespace mdbopt::bind
