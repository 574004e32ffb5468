// tensor_words – where the words are.
#include "tensor_words.h"

#include <pybind11/gil_safe_call_once.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

namespace py = pybind11;
using namespace py::literals;

namespace mdbopt::bind {
namespace {

constexpr std::size_t kWord = sizeof(std::uintptr_t);
// No more of an object is looked at: those of PyTorch are larger by a word or two.
constexpr std::size_t kOfTensor = 22 * kWord, kOfStorage = 9 * kWord, kOfAutograd = 7 * kWord;

// The first place, from one on, where something holds.
template <class Holds>
std::optional<std::size_t> first_place(std::size_t from, std::size_t end, std::size_t step,
                                       Holds holds) {
  for (std::size_t place = from; place + step <= end; place += step) {
    if (holds(place)) return place;
  }
  return {};
}

}  // namespace

// A tensor and what PyTorch says of it.
struct TensorWords::Sample {
  py::object tensor;
  const char* object;
  Word keys;

  explicit Sample(py::object given)
      : tensor(std::move(given)),
        object(reinterpret_cast<const char*>(tensor.attr("_cdata").cast<Word>())),
        keys(py::module_::import("torch")
                 .attr("_C")
                 .attr("_dispatch_keys")(tensor)
                 .attr("raw_repr")()
                 .cast<Word>()) {}
  Word said(const char* method) const { return tensor.attr(method)().cast<Word>(); }
};

struct TensorWords::Samples {
  py::module_ torch = py::module_::import("torch");
  Sample plain{torch.attr("zeros")(3)};
  Sample complex{torch.attr("zeros")(3, "dtype"_a = torch.attr("complex64"))};
  Sample negative{complex.tensor.attr("conj")().attr("imag")};
  Sample parameter{torch.attr("nn").attr("Parameter")(torch.attr("zeros")(4))};
  Sample long_one{torch.attr("zeros")(9).attr("narrow")(0, 2, 7)};
  Sample deep{torch.attr("zeros")(py::make_tuple(4, 3, 5, 7, 11)).attr("narrow")(0, 1, 2)};
  Sample empty{torch.attr("zeros")(py::make_tuple(0, 2), "dtype"_a = torch.attr("int8"))};
  std::vector<const Sample*> all{&plain, &complex, &negative, &parameter, &long_one, &deep, &empty};

  template <class Holds>
  bool hold(Holds holds) const {
    return std::all_of(all.begin(), all.end(),
                       [&](const Sample* sample) { return holds(*sample); });
  }
};

bool TensorWords::find_keys(const Samples& samples) {
  const Word mask = samples.plain.keys ^ samples.negative.keys;
  if (std::popcount(mask) != 1 || (samples.negative.keys & mask) == 0) return false;
  const auto size = samples.torch.attr("Tensor").attr("__basicsize__").cast<std::size_t>();
  const auto object = first_place(sizeof(PyObject), size, kWord, [&](std::size_t place) {
    return samples.hold(
        [&](const Sample& s) { return pointer_at(s.tensor.ptr(), place) == s.object; });
  });
  const auto keys = first_place(0, kOfTensor, kWord, [&](std::size_t place) {
    return samples.hold([&](const Sample& s) { return at(s.object, place) == s.keys; });
  });
  if (!object || !keys) return false;
  object_ = *object;
  keys_ = *keys;
  negative_ = mask;
  return true;
}

bool TensorWords::find_form(const Samples& samples) {
  constexpr Word kDeep[] = {5, 2, 3, 5, 7, 11, 1155, 385, 77, 11, 1};
  const auto rank =
      first_place(0, keys_ - std::min(keys_, sizeof(kDeep)), kWord, [&](std::size_t place) {
        const char* one = samples.long_one.object + place;
        return std::memcmp(samples.deep.object + place, kDeep, sizeof(kDeep)) == 0 &&
               at(one, 0) == 1 && at(one, kWord) == 7 && at(one, (1 + kMostAxes) * kWord) == 1;
      });
  if (!rank) return false;
  rank_ = *rank;
  const std::size_t behind = rank_ + sizeof(kDeep);
  const auto offset = first_place(behind, keys_, kWord, [&](std::size_t place) {
    return samples.hold(
        [&](const Sample& s) { return at(s.object, place) == s.said("storage_offset"); });
  });
  if (!offset) return false;
  offset_ = *offset;
  // The number of the dtype: a byte that tensors alike in all else differ in.
  std::vector<Sample> others;
  for (const char* name : {"float32", "float64", "float16", "bfloat16", "int32", "uint8", "bool"}) {
    others.emplace_back(samples.torch.attr("zeros")(3, "dtype"_a = samples.torch.attr(name)));
  }
  const auto dtype = first_place(behind, keys_, 1, [&](std::size_t place) {
    if (samples.plain.object[place] != others[0].object[place]) return false;
    for (std::size_t a = 0; a < others.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        if (others[a].object[place] == others[b].object[place]) return false;
      }
    }
    return true;
  });
  dtype_ = dtype.value_or(0);
  return dtype.has_value();
}

bool TensorWords::find_memory(const Samples& samples) {
  std::vector<Word> storages, addresses, sizes;
  for (const Sample* sample : samples.all) {
    const py::object storage = sample->tensor.attr("untyped_storage")();
    storages.push_back(storage.attr("_cdata").cast<Word>());
    addresses.push_back(storage.attr("data_ptr")().cast<Word>());
    sizes.push_back(storage.attr("nbytes")().cast<Word>());
  }
  const auto all = [&](auto holds) {
    for (std::size_t k = 0; k < storages.size(); ++k) {
      if (!holds(k)) return false;
    }
    return true;
  };
  const auto in_storage = [&](const std::vector<Word>& said, std::size_t from) {
    return first_place(from, kOfStorage, kWord, [&](std::size_t place) {
      return all([&](std::size_t k) {
        return at(reinterpret_cast<const char*>(storages[k]), place) == said[k];
      });
    });
  };
  const auto storage = first_place(0, kOfTensor, kWord, [&](std::size_t place) {
    return all([&](std::size_t k) { return at(samples.all[k]->object, place) == storages[k]; });
  });
  const auto data = storage ? in_storage(addresses, 0) : std::nullopt;
  const auto size = data ? in_storage(sizes, *data + kWord) : std::nullopt;
  if (!size) return false;
  storage_ = *storage;
  data_ = *data;
  memory_words_ = (*size - *data) / kWord + 2;
  return memory_words_ <= std::size(Kept{}.memory) && data_ + memory_words_ * kWord <= kOfStorage;
}

// A word that is null in a tensor without autograd's part leads to it in all parameters. There, a word is
// the gradient's object, and the same one in all that have no gradient.
bool TensorWords::find_gradient(const Samples& samples) {
  const py::object nn_parameter = samples.torch.attr("nn").attr("Parameter");
  std::vector<Sample> with, without, gradients;
  for (int k = 0; k < 3; ++k) {
    with.emplace_back(nn_parameter(samples.torch.attr("zeros")(3)));
    gradients.emplace_back(samples.torch.attr("ones")(3));
    with.back().tensor.attr("grad") = gradients.back().tensor;
    without.emplace_back(nn_parameter(samples.torch.attr("zeros")(3)));
  }
  for (std::size_t place = kWord; place + kWord <= rank_; place += kWord) {
    if (place == storage_ || at(samples.plain.object, place) != 0) continue;
    const auto part = [&](const Sample& s) { return pointer_at(s.object, place); };
    const auto is_part = [&](const Sample& s) {
      return at(s.object, place) > (Word{1} << 16) && at(s.object, place) % kWord == 0 &&
             part(s) != s.object && part(s) != reinterpret_cast<const char*>(s.tensor.ptr());
    };
    if (!std::all_of(with.begin(), with.end(), is_part) ||
        !std::all_of(without.begin(), without.end(), is_part)) {
      continue;
    }
    const char* none = nullptr;
    const auto gradient = first_place(0, kOfAutograd, kWord, [&](std::size_t inner) {
      none = pointer_at(part(without[0]), inner);
      for (std::size_t k = 0; k < with.size(); ++k) {
        if (pointer_at(part(with[k]), inner) != gradients[k].object) return false;
        if (pointer_at(part(without[k]), inner) != none) return false;
      }
      return true;
    });
    if (!gradient) continue;
    autograd_ = place;
    gradient_ = *gradient;
    undefined_ = none;
    with[0].tensor.attr("grad") = py::none();
    return gradient_of(with[0].object) == nullptr && gradient_of(samples.plain.object) == nullptr &&
           gradient_of(with[1].object) == gradients[1].object;
  }
  return false;
}

TensorWords TensorWords::found() {
  const Samples samples;
  TensorWords words;
  if (!words.find_keys(samples)) return {};
#ifndef Py_GIL_DISABLED  // else others may write them while they are read
  words.known_ =
      words.find_form(samples) && words.find_memory(samples) && words.find_gradient(samples);
#endif
  return words;
}

const TensorWords& TensorWords::of_torch() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<TensorWords> storage;
  return storage
      .call_once_and_store_result([]() -> TensorWords {
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

bool TensorWords::negative(py::handle tensor) const {
  if (negative_ == 0) return tensor.attr("is_neg")().cast<bool>();
  return (at(object_of(tensor), keys_) & negative_) != 0;
}

bool TensorWords::keep(const char* tensor, Kept& kept) const {
  kept.rank = at(tensor, rank_);
  if (kept.rank > kMostAxes) return false;
  kept.keys = at(tensor, keys_);
  kept.dtype = static_cast<unsigned char>(tensor[dtype_]);
  std::memcpy(kept.axes, tensor + rank_ + kWord, sizeof(kept.axes));
  kept.storage = at(tensor, storage_);
  kept.offset = at(tensor, offset_);
  std::memcpy(kept.memory, storage_of(tensor) + data_, memory_words_ * kWord);
  return true;
}

bool TensorWords::alike(const char* tensor, const Kept& kept) const {
  const bool keys = at(tensor, keys_) == kept.keys, rank = at(tensor, rank_) == kept.rank;
  const bool dtype = static_cast<unsigned char>(tensor[dtype_]) == kept.dtype;
  bool same = keys & rank & dtype;
  const char* sizes = tensor + rank_ + kWord;
  const char* strides = sizes + kMostAxes * kWord;
  for (std::size_t k = 0; same && k < kept.rank; ++k) {
    same =
        at(sizes, k * kWord) == kept.axes[k] && at(strides, k * kWord) == kept.axes[kMostAxes + k];
  }
  return same;
}

bool TensorWords::still(const char* tensor, const Kept& kept) const {
  return alike(tensor, kept) && at(tensor, storage_) == kept.storage &&
         at(tensor, offset_) == kept.offset &&
         std::memcmp(storage_of(tensor) + data_, kept.memory, memory_words_ * kWord) == 0;
}

}  // namespace mdbopt::bind
