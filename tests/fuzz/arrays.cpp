// arrays – DLPack capsules that say anything: what reads arrays refuses them, or reads what they describe.
//
// A capsule may lie about its memory, which nobody can see. So what was taken is walked only where it is
// within the block that there is, and its numbers are then those of a plain loop.
#include <dlpack/dlpack.h>
#include <mdbopt/error.h>
#include <pybind11/numpy.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "bind/dlpack.h"
#include "input.h"
#include "interpreter.h"

namespace py = pybind11;
using fuzz::require;
using fuzz::seldom;
using mdbopt::Dtype;
using mdbopt::bind::Accepted;
using mdbopt::bind::Borrowed;
using mdbopt::bind::View;

namespace {

int g_alive = 0;  // capsules

// A producer: what it lends is of its exact size.
struct Lender {
  alignas(8) std::vector<double> block;
  std::vector<std::int64_t> shape, strides;
  DLTensor tensor;
  std::string name;
  int version_major, version_minor;
  std::uint64_t flags;
  bool takes_version;
  int answer;  // what else than a capsule __dlpack__ gives
  std::pair<int, int> device;
  int device_answer;

  explicit Lender(FuzzedDataProvider& input)
      : block(input.ConsumeIntegralInRange<std::size_t>(0, 24)), tensor{} {
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<double>(i) + 0.25;
    describe(input);
    name = input.PickValueInArray({"dltensor_versioned", "dltensor_versioned", "dltensor"});
    if (seldom(input, 16))
      name = input.PickValueInArray({"used_dltensor", "used_dltensor_versioned", "other", ""});
    version_major = seldom(input, 16) ? input.ConsumeIntegral<int>() : DLPACK_MAJOR_VERSION;
    version_minor = input.ConsumeIntegral<std::uint8_t>();
    flags = input.ConsumeIntegralInRange<std::uint64_t>(0, 7);
    takes_version = !seldom(input, 8);
    answer = seldom(input, 16) ? input.ConsumeIntegralInRange<int>(1, 3) : 0;
    device = {tensor.device.device_type, tensor.device.device_id};
    if (seldom(input, 16))
      device = {input.ConsumeIntegral<std::int8_t>(), input.ConsumeIntegral<std::int8_t>()};
    device_answer = seldom(input, 16) ? input.ConsumeIntegralInRange<int>(1, 3) : 0;
  }

  static constexpr int kMostElements = 1 << 16;

  void describe(FuzzedDataProvider& input) {
    constexpr std::pair<int, int> kDtypes[] = {
        {kDLFloat, 64}, {kDLFloat, 32}, {kDLFloat, 16}, {kDLBfloat, 16}, {kDLUInt, 16},
        {kDLUInt, 8},   {kDLInt, 64},   {kDLInt, 8},    {kDLBool, 8},    {kDLComplex, 128}};
    const auto [code, bits] = input.PickValueInArray(kDtypes);
    tensor.dtype = {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(bits), 1};
    if (seldom(input, 16)) tensor.dtype.bits = input.ConsumeIntegral<std::uint8_t>();
    if (seldom(input, 16)) tensor.dtype.code = input.ConsumeIntegral<std::uint8_t>();
    if (seldom(input, 16)) tensor.dtype.lanes = input.ConsumeIntegral<std::uint16_t>();
    tensor.device = {kDLCPU, 0};
    if (seldom(input, 16)) {
      tensor.device.device_type = static_cast<DLDeviceType>(input.ConsumeIntegral<std::int8_t>());
      tensor.device.device_id = input.ConsumeIntegral<std::int8_t>();
    }
    tensor.ndim = input.ConsumeIntegralInRange<int>(0, 4);
    if (seldom(input, 16)) tensor.ndim = input.ConsumeIntegralInRange<int>(-1, 80);
    if (seldom(input, 64)) tensor.ndim = input.ConsumeIntegral<int>();
    const int axes = tensor.ndim < 0 || tensor.ndim > 80 ? 0 : tensor.ndim;
    const std::int64_t most = axes > 0 ? 24 / axes + 1 : 1;
    for (int k = 0; k < axes; ++k) {
      shape.push_back(seldom(input, 16) ? input.ConsumeIntegral<std::int64_t>()
                                        : input.ConsumeIntegralInRange<std::int64_t>(0, most));
    }
    std::uint64_t dense = 1;
    strides.resize(shape.size());
    for (std::size_t k = shape.size(); k-- > 0; dense *= static_cast<std::uint64_t>(shape[k])) {
      strides[k] = static_cast<std::int64_t>(dense);
      if (seldom(input, 4)) strides[k] = input.ConsumeIntegralInRange<std::int64_t>(-8, 8);
      if (seldom(input, 16)) strides[k] = input.ConsumeIntegral<std::int64_t>();
    }
    tensor.shape = seldom(input, 32) ? nullptr : shape.data();
    tensor.strides = seldom(input, 4) ? nullptr : strides.data();
    tensor.data = seldom(input, 16) ? nullptr : block.data();
    if (seldom(input, 8)) tensor.byte_offset = input.ConsumeIntegralInRange<std::uint64_t>(0, 40);
    if (seldom(input, 32)) tensor.byte_offset = input.ConsumeIntegral<std::uint64_t>();
  }

  // Whether all that is described is in the block: in numbers that do not overflow. Steps of 0 may describe more
  // elements than there is time for, or memory for a copy.
  bool within(std::size_t width) const {
    __extension__ using Wide = __int128;
    const auto end = static_cast<Wide>(block.size() * sizeof(double));
    Wide low = tensor.byte_offset, high = low;
    const std::vector<std::int64_t> steps = stepped();
    for (const std::int64_t length : shape) {
      if (length == 0) return true;
    }
    Wide elements = 1;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      elements *= shape[k];
      if (shape[k] < 0 || elements > kMostElements) return false;
      Wide reach = (static_cast<Wide>(shape[k]) - 1) * steps[k];
      if (__builtin_mul_overflow(reach, static_cast<Wide>(width), &reach)) return false;
      Wide& side = reach < 0 ? low : high;
      if (__builtin_add_overflow(side, reach, &side)) return false;
    }
    return tensor.data != nullptr && low >= 0 && high <= end - static_cast<Wide>(width);
  }

  std::vector<std::int64_t> stepped() const {
    if (tensor.strides != nullptr) return strides;
    std::vector<std::int64_t> dense(shape.size());
    std::uint64_t step = 1;
    for (std::size_t k = shape.size(); k-- > 0; step *= static_cast<std::uint64_t>(shape[k]))
      dense[k] = static_cast<std::int64_t>(step);
    return dense;
  }

  // Its numbers in row-major order, for what is within.
  std::vector<double> numbers() const {
    std::vector<double> all;
    std::vector<std::int64_t> index(shape.size());
    for (const std::int64_t length : shape) {
      if (length == 0) return all;
    }
    const std::vector<std::int64_t> steps = stepped();
    const std::size_t width = tensor.dtype.bits / 8U;
    for (;;) {
      std::int64_t place = 0;
      for (std::size_t k = 0; k < shape.size(); ++k) place += index[k] * steps[k];
      const char* at = reinterpret_cast<const char*>(block.data()) + tensor.byte_offset +
                       place * static_cast<std::int64_t>(width);
      double value = 0.0;
      if (width == 8) {
        std::memcpy(&value, at, width);
      } else {
        float narrow = 0.0F;
        std::memcpy(&narrow, at, width);
        value = static_cast<double>(narrow);
      }
      all.push_back(value);
      std::size_t k = shape.size();
      while (k > 0 && ++index[k - 1] == shape[k - 1]) index[--k] = 0;
      if (k == 0) return all;
    }
  }
};

struct Capsule {
  DLManagedTensorVersioned versioned;
  DLManagedTensor unversioned;
  std::string name;
};

void let_go(PyObject* object) {
  delete static_cast<Capsule*>(PyCapsule_GetContext(object));
  --g_alive;
}

py::object capsule_of(const Lender& self, const py::kwargs& request) {
  if (!self.takes_version && request.contains("max_version"))
    throw py::type_error("no max_version");
  if (self.answer == 1) return py::none();
  if (self.answer == 2) throw py::buffer_error("not to be lent");
  if (self.answer == 3) throw py::value_error("not this one");
  auto* capsule = new Capsule{};
  capsule->name = self.name;
  capsule->versioned.version = {static_cast<std::uint32_t>(self.version_major),
                                static_cast<std::uint32_t>(self.version_minor)};
  capsule->versioned.flags = self.flags;
  capsule->versioned.dl_tensor = capsule->unversioned.dl_tensor = self.tensor;
  void* pointer = &capsule->unversioned;
  if (self.name.find("versioned") != std::string::npos) pointer = &capsule->versioned;
  const auto object =
      py::reinterpret_steal<py::object>(PyCapsule_New(pointer, capsule->name.c_str(), &let_go));
  PyCapsule_SetContext(object.ptr(), capsule);
  ++g_alive;
  return object;
}

py::object device_of(const Lender& self) {
  if (self.device_answer == 1) throw py::value_error("nowhere");
  if (self.device_answer == 2) return py::none();
  if (self.device_answer == 3) return py::make_tuple(1);
  return py::cast(self.device);
}

// DLPack's C functions, for a type whose module says that it is PyTorch's.
struct Exchanged : Lender {
  using Lender::Lender;
};

int exchange(void* object, DLTensor* out) {
  const auto& lender = py::handle(static_cast<PyObject*>(object)).cast<const Exchanged&>();
  if (lender.answer != 0) {
    PyErr_SetString(PyExc_RuntimeError, "not to be lent");
    return -1;
  }
  *out = lender.tensor;
  return 0;
}

DLPackExchangeAPI g_functions{};

void define() {
  const py::object scope = py::module_::import("types").attr("ModuleType")("fuzzed");
  scope.inc_ref();  // its classes stay
  py::class_<Lender>(scope, "Lender")
      .def("__dlpack__", &capsule_of)
      .def("__dlpack_device__", &device_of);
  py::class_<Exchanged, Lender> exchanged(scope, "Exchanged");
  exchanged.attr("__module__") = "torch.fuzzed";
  g_functions.header.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  g_functions.dltensor_from_py_object_no_sync = &exchange;
  exchanged.attr("__dlpack_c_exchange_api__") = py::reinterpret_steal<py::object>(
      PyCapsule_New(&g_functions, "dlpack_exchange_api", nullptr));
}

// Refused for a reason that names the array, or taken.
template <class Body>
void allowed(Body body) {
  const auto named = [](const std::string& text) {
    require(text.rfind("array", 0) == 0, "an error that names the array");
  };
  try {
    body();
  } catch (const mdbopt::Error& error) {
    named(error.what());
  } catch (const mdbopt::DeviceError& error) {
    named(error.what());
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError) && !error.matches(PyExc_ValueError))
      fuzz::unexpected(error);
    named(py::str(error.value()));
  }
}

bool is_float(const Lender& lender) {
  const DLDataType& dtype = lender.tensor.dtype;
  return dtype.code == kDLFloat && dtype.lanes == 1 && (dtype.bits == 64 || dtype.bits == 32);
}

void check_size(std::size_t size, const Lender& lender) {
  std::size_t expected = 1;
  for (const std::int64_t length : lender.shape) expected *= static_cast<std::size_t>(length);
  require(size == expected, "as many elements as the shape has");
}

void check_numbers(const py::array& array, const Lender& lender) {
  const std::vector<double> numbers = lender.numbers();
  const auto wide = py::array_t<double, py::array::c_style | py::array::forcecast>(array);
  require(static_cast<std::size_t>(wide.size()) == numbers.size(),
          "as many numbers as are described");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    double value = 0.0;  // which need not be aligned
    std::memcpy(
        &value,
        static_cast<const char*>(static_cast<const py::array&>(wide).data()) + i * sizeof value,
        sizeof value);
    require(value == numbers[i] || (std::isnan(value) && std::isnan(numbers[i])),
            "the numbers that are described");
  }
}

void run(const py::object& object, const Lender& lender, const Accepted& accepted,
         FuzzedDataProvider& input) {
  View view;
  if (glance(object, view, accepted)) check_size(view.tensor.size, lender);
  allowed([&] {
    const Borrowed borrowed = mdbopt::bind::borrow(object, "array", accepted);
    check_size(borrowed.tensor.size, lender);
  });
  const std::size_t width = (lender.tensor.dtype.bits + 7U) / 8U;
  allowed([&] {
    const py::array array = mdbopt::bind::as_numpy(
        object, "array", !lender.within(width) ? false : input.ConsumeBool());
    if (is_float(lender) && lender.within(width)) check_numbers(array, lender);
  });
  if (!lender.within(width)) return;
  allowed([&] {
    mdbopt::bind::Wanted wanted;
    if (input.ConsumeBool()) wanted.dtype = Dtype::kFloat64;
    if (input.ConsumeBool()) wanted.size = input.ConsumeIntegralInRange<std::size_t>(0, 8);
    const Borrowed taken = mdbopt::bind::read(object, "array", wanted, accepted);
    check_size(taken.tensor.size, lender);
    if (taken.tensor.dtype != Dtype::kFloat64 || !is_float(lender) || !taken.row_major()) return;
    const std::vector<double> numbers = lender.numbers();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      double value = 0.0;  // which need not be aligned
      std::memcpy(&value, static_cast<const char*>(taken.tensor.data) + i * sizeof value,
                  sizeof value);
      require(fuzz::same_bits(value, numbers[i]) || std::isnan(numbers[i]),
              "the numbers that are described");
    }
  });
}

// Python's object owns the lender, so that none is taken for an earlier one at its place.
template <class Kind>
void lend(FuzzedDataProvider& input, const Accepted& accepted) {
  auto* lender = new Kind(input);
  const py::object object = py::cast(lender, py::return_value_policy::take_ownership);
  require(object.ptr() != nullptr && PyErr_Occurred() == nullptr, "no error left behind");
  run(object, *lender, accepted, input);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::start_python(false);
  define();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  Accepted accepted;
  accepted.half = input.ConsumeBool();
  if (input.ConsumeBool()) accepted.bits = Dtype::kBFloat16;
  accepted.any_layout = input.ConsumeBool();
  accepted.codes = input.ConsumeBool();
  if (input.ConsumeBool())
    lend<Exchanged>(input, accepted);
  else
    lend<Lender>(input, accepted);
  require(g_alive == 0, "no capsule kept");
  return 0;
}
