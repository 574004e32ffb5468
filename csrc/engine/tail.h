// tail – the last elements of an array, where they do not fill a block, in room for a whole one.
//
// So a walk has one loop of a constant length. Beside one of any length it would take half as long again
// to compile, and be half as large again.
#pragma once

#include <mdbopt/description.h>

#include <cstddef>
#include <cstring>

#include "../base/fold.h"

#ifndef MDBOPT_ISA
#define MDBOPT_ISA host
#endif

namespace mdbopt::MDBOPT_ISA {

// What a walk does with one of its streams.
struct TailStream {
  std::size_t size;  // of an element, in bytes
  bool read, written;
};

class Tail {
 public:
  Tail(const TailStream* streams, std::size_t count) : stream_(streams), stream_count_(count) {}

  // Returns streams that begin with elements begin, …, begin + count − 1 of the given ones, and go on
  // with zeros.
  [[gnu::noinline]] void* const* take(void* const* streams, std::size_t begin, std::size_t count) {
    for (std::size_t k = 0; k < stream_count_; ++k) {
      const auto [size, read, written] = stream_[k];
      clear(room_[k], size);
      if (read) std::memcpy(room_[k], at(streams, k, begin), count * size);
      at_[k] = room_[k];
    }
    return at_;
  }

  // Writes back what there is of a block.
  [[gnu::noinline]] void give(void* const* streams, std::size_t begin, std::size_t count) const {
    for (std::size_t k = 0; k < stream_count_; ++k) {
      if (stream_[k].written) {
        std::memcpy(at(streams, k, begin), room_[k], count * stream_[k].size);
      }
    }
  }

 private:
  // Of a length that the compiler knows, which takes no call.
  static void clear(unsigned char* room, std::size_t size) {
    if (size == 2) {
      std::memset(room, 0, kLanes * 2);
    } else if (size == 4) {
      std::memset(room, 0, kLanes * 4);
    } else {
      std::memset(room, 0, kLanes * 8);
    }
  }
  unsigned char* at(void* const* streams, std::size_t k, std::size_t begin) const {
    return static_cast<unsigned char*>(streams[k]) + begin * stream_[k].size;
  }

  const TailStream* stream_;
  std::size_t stream_count_;
  void* at_[kMaxStreams];
  alignas(64) unsigned char room_[kMaxStreams][kLanes * sizeof(double)];
};

}  // namespace mdbopt::MDBOPT_ISA
