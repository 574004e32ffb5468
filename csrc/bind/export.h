// export – device arrays for other libraries, through DLPack.
#pragma once

#include "device_array.h"

namespace mdbopt::bind {

// What DLPack asks of __dlpack__ and __dlpack_device__.
pybind11::object export_dlpack(pybind11::handle self, const pybind11::object& stream,
                               const pybind11::object& max_version,
                               const pybind11::object& dl_device, const pybind11::object& copy);
pybind11::tuple export_device(const DeviceArray& array);

}  // namespace mdbopt::bind
