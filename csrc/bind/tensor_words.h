// tensor_words – what a tensor of PyTorch on the CPU says of itself, read from its own memory.
//
// PyTorch takes some 80 ns to describe one tensor through DLPack's C functions, and as long again to say
// whether its negative bit is set; a step of an optimizer asks hundreds of tensors that hardly ever
// changed. What they would answer are words of the C++ objects behind the Python one. No interface tells
// where, so each is found by trial, once: as the word that holds what PyTorch says, in each of several
// tensors. Where one of them is not found, every tensor is asked.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mdbopt::bind {

class TensorWords {
 public:
  using Word = std::uintptr_t;
  static constexpr int kMostAxes = 5;  // whose sizes and strides lie in the tensor's own object

  // A tensor as it was: its form, and which memory it has.
  struct Kept {
    Word keys = 0, rank = 0, axes[2 * kMostAxes] = {};
    unsigned char dtype = 0;
    Word storage = 0, offset = 0, memory[8] = {};
  };

  static const TensorWords& of_torch();

  // Whether the memory holds the opposite of what it means, which DLPack has no way to say: one of the
  // tensor's dispatch keys.
  bool negative(pybind11::handle tensor) const;

  // Whether all that follows may be used: for objects of PyTorch's own types alone.
  bool known() const { return known_; }
  // The C++ object, which may become another one.
  const char* object_of(pybind11::handle tensor) const {
    return reinterpret_cast<const char*>(at(tensor.ptr(), object_));
  }
  // False for more axes than are kept.
  bool keep(const char* tensor, Kept& kept) const;
  // Whether a tensor has the dtype, device, sizes, strides and negative bit of one that was kept.
  bool alike(const char* tensor, const Kept& kept) const;
  // The same, with the memory that it had: neither freed nor made another's copy-on-write.
  bool still(const char* tensor, const Kept& kept) const;
  // Where the first element is; null without memory.
  char* data(const char* tensor, std::size_t width) const {
    const Word memory = at(storage_of(tensor), data_);
    return memory == 0 ? nullptr : reinterpret_cast<char*>(memory + width * at(tensor, offset_));
  }
  // The C++ object of the gradient; null when there is none.
  const char* gradient_of(const char* tensor) const {
    const char* autograd = pointer_at(tensor, autograd_);
    const char* gradient = autograd == nullptr ? nullptr : pointer_at(autograd, gradient_);
    return gradient == undefined_ ? nullptr : gradient;
  }

 private:
  struct Sample;
  struct Samples;
  static TensorWords found();
  bool find_keys(const Samples& samples);
  bool find_form(const Samples& samples);
  bool find_memory(const Samples& samples);
  bool find_gradient(const Samples& samples);

  static Word at(const void* memory, std::size_t offset) {
    Word word = 0;
    std::memcpy(&word, static_cast<const char*>(memory) + offset, sizeof(word));
    return word;
  }
  static const char* pointer_at(const void* memory, std::size_t offset) {
    return reinterpret_cast<const char*>(at(memory, offset));
  }
  const char* storage_of(const char* tensor) const { return pointer_at(tensor, storage_); }

  bool known_ = false;
  Word negative_ = 0;                   // the bit among the keys; 0: not found
  std::size_t object_ = 0;              // in the Python object
  std::size_t keys_ = 0, rank_ = 0;     // in the C++ object, as what follows; behind the rank come
  std::size_t offset_ = 0, dtype_ = 0;  // sizes and strides
  std::size_t storage_ = 0, autograd_ = 0;
  std::size_t data_ = 0,
              memory_words_ = 0;     // in the storage: from its address to its size and flags
  std::size_t gradient_ = 0;         // in autograd's part
  const char* undefined_ = nullptr;  // what stands there for no gradient
};

}  // namespace mdbopt::bind
