// negative – where the bit is.
#include "negative.h"

#include <pybind11/gil_safe_call_once.h>

#include <bit>
#include <vector>

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

constexpr std::size_t kWord = sizeof(std::uintptr_t);
constexpr std::size_t kKeysWithin = 24 * kWord;  // no more of the C++ object is looked at

// A tensor and what PyTorch says of it.
struct Sample {
  py::object tensor;
  std::uintptr_t address, keys;
};

std::vector<Sample> samples_of(const py::module_& torch) {
  const py::object plain = torch.attr("zeros")(3);
  const py::object complex = torch.attr("zeros")(3, "dtype"_a = torch.attr("complex64"));
  const py::object others[] = {complex.attr("conj")().attr("imag"), complex,
                               torch.attr("nn").attr("Parameter")(plain),
                               torch.attr("zeros")(0, 2, "dtype"_a = torch.attr("int8"))};
  std::vector<Sample> samples;
  const auto add = [&](const py::object& tensor) {
    const py::object keys = torch.attr("_C").attr("_dispatch_keys")(tensor);
    samples.push_back({tensor, tensor.attr("_cdata").cast<std::uintptr_t>(),
                       keys.attr("raw_repr")().cast<std::uintptr_t>()});
  };
  add(plain);
  for (const py::object& other : others) add(other);
  return samples;
}

}  // namespace

NegativeBit NegativeBit::found() {
  const py::module_ torch = py::module_::import("torch");
  const auto size = torch.attr("Tensor").attr("__basicsize__").cast<std::size_t>();
  const std::vector<Sample> samples = samples_of(torch);
  const auto all = [&](auto holds) {
    for (const Sample& sample : samples) {
      if (!holds(sample)) return false;
    }
    return true;
  };
  NegativeBit bit;
  const std::uintptr_t mask = samples[0].keys ^ samples[1].keys;
  if (std::popcount(mask) != 1 || (samples[1].keys & mask) == 0) return {};
  for (bit.object_ = sizeof(PyObject); bit.object_ + kWord <= size; bit.object_ += kWord) {
    if (all([&](const Sample& s) { return word_at(s.tensor.ptr(), bit.object_) == s.address; }))
      break;
  }
  if (bit.object_ + kWord > size) return {};
  for (; bit.keys_ < kKeysWithin; bit.keys_ += kWord) {
    const auto holds = [&](const Sample& s) {
      return word_at(reinterpret_cast<const void*>(s.address), bit.keys_) == s.keys;
    };
    if (!all(holds)) continue;
    bit.mask_ = mask;
    return bit;
  }
  return {};
}

const NegativeBit& NegativeBit::of_torch() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<NegativeBit> storage;
  return storage
      .call_once_and_store_result([]() -> NegativeBit {
        try {
          return found();
        } catch (const py::error_already_set& error) {
          if (!error.matches(PyExc_Exception)) throw;
        } catch (const py::cast_error&) {
        }
        return {};
      })
      .get_stored();
}

bool NegativeBit::asked(py::handle tensor) { return tensor.attr("is_neg")().cast<bool>(); }

}  // namespace mdbopt::bind
