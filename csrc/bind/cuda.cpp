// cuda – which devices there are, and waiting for them.
#include <pybind11/stl.h>

#include <string>

#include "../check.h"
#include "../device.h"
#include "../error.h"
#include "bind.h"
#include "place.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

Place default_stream_of(int device) {
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
        const Place place = default_stream_of(device);
        return device_library().allocated(place.device);
      },
      "device"_a, "Bytes that mdbopt holds on a device.");
  module.def(
      "cuda_synchronize",
      [](int device) {
        const Place place = default_stream_of(device);
        const py::gil_scoped_release release;
        device_library().synchronize(place);
      },
      "device"_a, "Wait for the default stream of a device.");
}

}  // namespace mdbopt::bind
