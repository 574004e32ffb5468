// device_array – what Python sees of an array on a device.
#include "device_array.h"

#include <mdbopt/error.h>
#include <pybind11/stl.h>

#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "../engine/check.h"
#include "../runtime/device.h"
#include "array.h"
#include "bind.h"
#include "dlpack.h"
#include "export.h"
#include "numpy.h"

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

// Numbers, and what states are stored in.
constexpr Accepted kMovable{true, Dtype::kUint16, false, true};

// From the device into NumPy's memory, waiting until it is there.
void fetch(const Location& location, py::array& into, const void* from) {
  const auto bytes = static_cast<std::size_t>(into.nbytes());
  void* data = into.mutable_data();
  if (bytes == 0) return;
  const py::gil_scoped_release release;
  device_library().copy(location, data, from, bytes);
  device_library().synchronize(location);
}

py::array to_numpy(const DeviceArray& self) {
  py::array made(numpy_dtype(self.dtype), self.shape);
  fetch(self.memory->location(), made, self.memory->data());
  return made;
}

py::object to_device(const py::array& array, int device, std::int64_t stream) {
  require_usable(device);
  const Location location{device, stream_numbered(stream, "stream")};
  const Borrowed host = borrow(array, "array", kMovable);
  if (!host.row_major()) throw Error("array is not in row-major (C) order; pass a copy");
  DeviceArray made{nullptr, host.tensor.dtype, host.shape};
  made.memory = std::make_shared<DeviceMemory>(location, made.bytes());
  if (made.size() > 0) {
    device_library().copy(location, made.memory->data(), host.tensor.data, made.bytes());
  }
  return py::cast(std::move(made));
}

py::dict cuda_array_interface(const DeviceArray& self) {
  if (self.dtype == Dtype::kBFloat16) {
    throw py::attribute_error("__cuda_array_interface__: has no type for bfloat16");
  }
  py::dict interface;
  interface["shape"] = py::tuple(py::cast(self.shape));
  interface["typestr"] = numpy_dtype(self.dtype).attr("str");
  interface["data"] =
      py::make_tuple(reinterpret_cast<std::uintptr_t>(self.memory->data()), !self.writable);
  interface["strides"] = py::none();
  interface["stream"] = number_of_stream(self.memory->location().stream);
  interface["version"] = 3;
  return interface;
}

std::string described(const DeviceArray& self) {
  return "<DeviceArray " + std::string(py::str(py::tuple(py::cast(self.shape)))) + " " +
         info(self.dtype).name + " on " + memory_name(self.memory->location().device) +
         (self.writable ? ">" : ", read-only>");
}

}  // namespace

DeviceMemory::DeviceMemory(const Location& location, std::size_t bytes)
    : location_(location), data_(nullptr), owns_(bytes > 0) {
  if (owns_) data_ = device_library().allocate(location, bytes);
}

DeviceMemory::DeviceMemory(const Location& location, void* data, py::object owner)
    : location_(location), data_(data), owner_(std::move(owner)), owns_(false) {}

// The last to let go may be a consumer that does not hold the interpreter's lock, or outlives it.
DeviceMemory::~DeviceMemory() {
  if (owns_) device_library().free(location_, data_);
  if (!owner_) return;
  if (Py_IsInitialized() == 0) {
    owner_.release();
    return;
  }
  const py::gil_scoped_acquire acquire;
  owner_ = py::object();
}

std::size_t DeviceArray::size() const {
  return static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

py::object device_view(const Tensor& tensor, py::object owner) {
  return py::cast(
      DeviceArray{std::make_shared<DeviceMemory>(tensor.location, tensor.data, std::move(owner)),
                  tensor.dtype,
                  {static_cast<std::int64_t>(tensor.size)},
                  tensor.writable});
}

py::object to_host(py::handle array, const std::string& what) {
  CallStream where;
  const Borrowed borrowed = borrow(array, what, kMovable, &where);
  if (borrowed.tensor.location.on_cpu()) throw Error(what + " lives on the CPU, expected a device");
  const auto width = static_cast<py::ssize_t>(info(borrowed.tensor.dtype).bytes);
  std::vector<py::ssize_t> strides;
  for (const std::int64_t stride : borrowed.strides) strides.push_back(stride * width);
  py::array made(numpy_dtype(borrowed.tensor.dtype), borrowed.shape, strides);
  fetch(where.location(), made, borrowed.tensor.data);
  return made;
}

void bind_device_array(py::module_& module) {
  py::class_<DeviceArray>(module, "DeviceArray", "An array on a CUDA device, to take in by DLPack.")
      .def("__dlpack__", &export_dlpack, py::kw_only(), "stream"_a = py::none(),
           "max_version"_a = py::none(), "dl_device"_a = py::none(), "copy"_a = py::none())
      .def("__dlpack_device__", [](const DeviceArray& self) { return export_device(self); })
      .def_property_readonly("__cuda_array_interface__", &cuda_array_interface)
      .def("to_numpy", &to_numpy, "A copy in NumPy's memory, once it is there.")
      .def_property_readonly(
          "shape", [](const DeviceArray& self) { return py::tuple(py::cast(self.shape)); })
      .def_property_readonly("dtype", [](const DeviceArray& self) { return info(self.dtype).name; })
      .def_property_readonly("device",
                             [](const DeviceArray& self) { return self.memory->location().device; })
      .def_property_readonly("read_only", [](const DeviceArray& self) { return !self.writable; })
      .def("__len__",
           [](const DeviceArray& self) {
             if (self.shape.empty()) throw py::type_error("len() of an array without axes");
             return self.shape[0];
           })
      .def("__repr__", &described);
  module.def("to_device", &to_device, "array"_a, "device"_a, "stream"_a = 0,
             "Copy a NumPy array to a device, in the order of a stream.");
  module.def(
      "current_stream",
      [](const py::object& array, int device) {
        require_usable(device);
        py::object held;
        return number_of_stream(current_stream(array, device, held));
      },
      "array"_a, "device"_a, "The stream that an array's library works on.");
  module.def("as_numpy", &as_numpy, "array"_a, "what"_a, "widen"_a = true,
             "View any array on the CPU as NumPy's, to read; bfloat16 as float32, or not at all.");
  module.def("to_host", &to_host, "array"_a, "what"_a = "array",
             "Copy any array on a device to NumPy's memory.");
}

}  // namespace mdbopt::bind
