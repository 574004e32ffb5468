// ahead – asks for what a walk reads of the next piece where it lies, a share each time. To open and close codes
// or half precision takes the processor so long that memory rests meanwhile, and a walk that follows would wait for
// it. Not so a remainder.
#pragma once

#include <mdbopt/description.h>
#include <mdbopt/launch.h>

#include <algorithm>
#include <cstddef>

#include "layout.h"

namespace mdbopt {

class Ahead {
 public:
  // Pieces are of so many elements.
  Ahead(const Description& rule, const Layout* layouts, Dtype dtype, std::size_t piece) : piece_(piece) {
    std::size_t times = kBesides;
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const Stream& stream = rule.streams[k];
      const Format format = layouts[k].format;
      if (format != Format::kPlain && format != Format::kRemainder) {
        times += 2;
      } else if (layouts[k].data == nullptr && stream.role != Role::kOut) {
        read_[count_++] = {k, info(stored_dtype(stream.storage, dtype)).bytes};
      }
    }
    if (times == kBesides) count_ = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      read_[i].share = (piece * read_[i].bytes / kLine + times - 1) / times * kLine;
    }
  }
  // The piece that is next.
  void turn_to(const Job& job, std::size_t begin) {
    const std::size_t size = begin < job.size ? std::min(piece_, job.size - begin) : 0;
    for (std::size_t i = 0; i < count_; ++i) {
      Read& read = read_[i];
      read.at = static_cast<const char*>(job.streams[read.stream]) + begin * read.bytes;
      read.left = size * read.bytes;
    }
  }
  void ask() {
    for (std::size_t i = 0; i < count_; ++i) {
      Read& read = read_[i];
      const std::size_t bytes = std::min(read.share, read.left);
      // Of its own, as the compiler would store it for each line.
      const char* const at = read.at;
      for (std::size_t k = 0; k < bytes; k += kLine) __builtin_prefetch(at + k);
      read.at += bytes;
      read.left -= bytes;
    }
  }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kBesides = 2;  // before the walk and before random bits are drawn

  struct Read {
    std::size_t stream, bytes;
    std::size_t share = 0;  // bytes to ask for each time
    const char* at = nullptr;
    std::size_t left = 0;
  };
  std::size_t piece_;
  Read read_[kMaxStreams];
  std::size_t count_ = 0;
};

}  // namespace mdbopt
