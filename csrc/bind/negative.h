// negative – whether PyTorch's negative bit is set: the memory of such a tensor holds the opposite of
// what it means, which DLPack has no way to say.
//
// PyTorch takes some 90 ns to answer for one tensor, twice as long as all else that is read of it. The
// bit is one of the tensor's dispatch keys, a word of the C++ object behind the Python one. No interface
// tells where, so it is found by trial, once: as the word that holds what PyTorch says the keys are, in
// each of several tensors, with a negative one differing from its like in a single bit. Where no word
// does, every tensor is asked.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mdbopt::bind {

class NegativeBit {
 public:
  static const NegativeBit& of_torch();

  bool set_in(pybind11::handle tensor) const {
    if (mask_ == 0) return asked(tensor);
    const auto object = reinterpret_cast<const char*>(word_at(tensor.ptr(), object_));
    return (word_at(object, keys_) & mask_) != 0;
  }

 private:
  static NegativeBit found();
  static bool asked(pybind11::handle tensor);

  static std::uintptr_t word_at(const void* memory, std::size_t offset) {
    std::uintptr_t word = 0;
    std::memcpy(&word, static_cast<const char*>(memory) + offset, sizeof(word));
    return word;
  }

  std::size_t object_ = 0;   // offset of the pointer to the C++ object
  std::size_t keys_ = 0;     // offset of the dispatch keys in that
  std::uintptr_t mask_ = 0;  // 0: not found
};

}  // namespace mdbopt::bind
