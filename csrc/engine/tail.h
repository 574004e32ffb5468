// tail – the last elements of an array, where they do not fill a block, in room for a whole one.
//
// So a walk has one loop of a constant length. Beside one of any length it would take half as long again
// to compile, and be half as large again.
#pragma once

#include <mdbopt/description.h>

#include <cstddef>
#include <cstring>

#include "../base/fold.h"
#include "phase.h"

namespace mdbopt::MDBOPT_ISA {

class Tail {
 public:
  Tail(const StreamUse* streams, std::size_t count) : stream_(streams), stream_count_(count) {}

  // Returns streams that begin with elements begin, …, begin + count − 1 of the given ones, and go on
  // with zeros.
  [[gnu::noinline]] void* const* take(void* const* streams, std::size_t begin, std::size_t count) {
    for (std::size_t k = 0; k < stream_count_; ++k) {
      const auto [bytes, read, written] = stream_[k];
      clear(room_[k], bytes);
      if (read) std::memcpy(room_[k], at(streams, k, begin), count * bytes);
      at_[k] = room_[k];
    }
    return at_;
  }

  // Writes back what there is of a block.
  [[gnu::noinline]] void give(void* const* streams, std::size_t begin, std::size_t count) const {
    for (std::size_t k = 0; k < stream_count_; ++k) {
      if (stream_[k].written) {
        std::memcpy(at(streams, k, begin), room_[k], count * stream_[k].bytes);
      }
    }
  }

 private:
  // Of a length that the compiler knows, which takes no call.
  static void clear(unsigned char* room, std::size_t bytes) {
    if (bytes == sizeof(float)) {
      std::memset(room, 0, kLanes * sizeof(float));
    } else {
      std::memset(room, 0, kLanes * sizeof(double));
    }
  }
  unsigned char* at(void* const* streams, std::size_t k, std::size_t begin) const {
    return static_cast<unsigned char*>(streams[k]) + begin * stream_[k].bytes;
  }

  const StreamUse* stream_;
  std::size_t stream_count_;
  void* at_[kMaxStreams];
  alignas(64) unsigned char room_[kMaxStreams][kLanes * sizeof(double)];
};

}  // namespace mdbopt::MDBOPT_ISA
