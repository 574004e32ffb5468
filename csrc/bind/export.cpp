// export – a capsule for each consumer, which keeps the memory until it lets go.
#include "export.h"

#include <dlpack/dlpack.h>
#include <mdbopt/error.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "../engine/check.h"
#include "../runtime/device.h"
#include "location.h"

namespace py = pybind11;

namespace mdbopt::bind {
namespace {

constexpr const char* kVersioned = "dltensor_versioned";
constexpr const char* kUnversioned = "dltensor";

[[noreturn]] void refuse(const std::string& text) {
  PyErr_SetString(PyExc_BufferError, text.c_str());
  throw py::error_already_set();
}

std::vector<std::int64_t> row_major_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t k = shape.size(); k-- > 0; stride *= shape[k]) strides[k] = stride;
  return strides;
}

DLDataType dlpack_dtype(Dtype dtype) {
  const auto bits = static_cast<std::uint8_t>(8 * info(dtype).bytes);
  const bool whole = dtype == Dtype::kUint8 || dtype == Dtype::kUint16;
  const auto code = dtype == Dtype::kBFloat16 ? kDLBfloat : whole ? kDLUInt : kDLFloat;
  return {static_cast<std::uint8_t>(code), bits, 1};
}

// A tensor and what it points to.
template <class Managed>
struct Handed {
  Managed managed{};
  DeviceArray array;
  std::vector<std::int64_t> strides;

  static void let_go(Managed* managed) { delete static_cast<Handed*>(managed->manager_ctx); }
};

// A consumer renames the capsule when it takes the tensor over.
template <class Managed>
void let_go_unless_taken(PyObject* capsule) {
  constexpr bool versioned = std::is_same_v<Managed, DLManagedTensorVersioned>;
  const char* name = versioned ? kVersioned : kUnversioned;
  if (PyCapsule_IsValid(capsule, name) == 0) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  managed->deleter(managed);
}

template <class Managed>
py::object capsule_of(DeviceArray array, [[maybe_unused]] bool copied) {
  constexpr bool versioned = std::is_same_v<Managed, DLManagedTensorVersioned>;
  auto lent = std::make_unique<Handed<Managed>>();
  lent->strides = row_major_strides(array.shape);
  lent->array = std::move(array);
  Managed& managed = lent->managed;
  managed.dl_tensor = {lent->array.memory->data(),
                       {kDLCUDA, lent->array.memory->location().device},
                       static_cast<std::int32_t>(lent->array.shape.size()),
                       dlpack_dtype(lent->array.dtype),
                       lent->array.shape.data(),
                       lent->strides.data(),
                       0};
  managed.manager_ctx = lent.get();
  managed.deleter = &Handed<Managed>::let_go;
  if constexpr (versioned) {
    managed.version = {DLPACK_MAJOR_VERSION, 0};
    managed.flags = (lent->array.writable ? 0 : DLPACK_FLAG_BITMASK_READ_ONLY) |
                    (copied ? DLPACK_FLAG_BITMASK_IS_COPIED : 0);
  }
  PyObject* capsule =
      PyCapsule_New(&managed, versioned ? kVersioned : kUnversioned, &let_go_unless_taken<Managed>);
  if (capsule == nullptr) throw py::error_already_set();
  lent.release();
  return py::reinterpret_steal<py::object>(capsule);
}

DeviceArray copy_of(const DeviceArray& array) {
  DeviceArray made = array;
  const Location& location = array.memory->location();
  made.memory = std::make_shared<DeviceMemory>(location, array.bytes());
  made.writable = true;
  if (array.bytes() > 0) {
    device_library().copy(location, made.memory->data(), array.memory->data(), array.bytes());
  }
  return made;
}

// What is written on our stream comes before what the consumer queues on its own.
void order_before(const Location& location, const py::object& stream) {
  const std::int64_t number = stream.is_none() ? 1 : stream.cast<std::int64_t>();
  if (number == -1) return;
  if (number == 0) {
    throw Error(
        "stream: expected 1 (the legacy default stream), 2 (that of the thread), a handle or "
        "-1, got 0");
  }
  const Location other{location.device, stream_numbered(number, "stream")};
  if (other.stream != location.stream) device_library().order(location, other);
}

}  // namespace

py::tuple export_device(const DeviceArray& array) {
  return py::make_tuple(static_cast<int>(kDLCUDA), array.memory->location().device);
}

py::object export_dlpack(py::handle self, const py::object& stream, const py::object& max_version,
                         const py::object& dl_device, const py::object& copy) {
  const auto& array = self.cast<const DeviceArray&>();
  const bool must_copy = !copy.is_none() && copy.cast<bool>();
  if (!dl_device.is_none() && !dl_device.equal(export_device(array))) {
    const bool may_copy = copy.is_none() || must_copy;
    if (!may_copy || !dl_device.equal(py::make_tuple(static_cast<int>(kDLCPU), 0))) {
      refuse("DeviceArray: lives on " + memory_name(array.memory->location().device) +
             ", cannot be had on device " + py::str(dl_device).cast<std::string>() +
             (may_copy ? "" : " without a copy"));
    }
    py::dict request;  // NumPy takes versions from 2.1 on
    if (!max_version.is_none()) request["max_version"] = max_version;
    return self.attr("to_numpy")().attr("__dlpack__")(**request);
  }
  const bool versioned =
      !max_version.is_none() && py::object(max_version[py::int_(0)]).cast<int>() >= 1;
  const DeviceArray lent = must_copy ? copy_of(array) : array;
  order_before(lent.memory->location(), stream);
  return versioned ? capsule_of<DLManagedTensorVersioned>(lent, must_copy)
                   : capsule_of<DLManagedTensor>(lent, must_copy);
}

}  // namespace mdbopt::bind
