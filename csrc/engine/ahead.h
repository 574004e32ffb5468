// ahead – asks for what opening and the walk read of the next piece where it lies, a share each time. To open and
// close takes the processor so long that memory rests meanwhile, and they would wait for it.
#pragma once

#include <mdbopt/description.h>
#include <mdbopt/launch.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../base/block_codes.h"
#include "layout.h"

namespace mdbopt {

class Ahead {
 public:
  // Of a job, in pieces of so many elements.
  Ahead(const Description& rule, const Job& job, const Layout* layouts, Dtype dtype,
        std::size_t piece)
      : piece_(piece) {
    std::size_t times = kBesides;
    bool long_enough = false;  // for what lies as the walk takes it, too
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const Layout& layout = layouts[k];
      const Role role = rule.streams[k].role;
      if (layout.format == Format::kPlain || role == Role::kOut || !layout.dense()) continue;
      times += role == Role::kIn ? 1 : 2;
      long_enough = long_enough || layout.format != Format::kRemainder;
      add(layout.data, is_codes(layout.format) ? kBlockBytes : kBlock * info(layout.dtype).bytes);
      if (layout.low != nullptr) add(layout.low, kBlock * sizeof(std::uint16_t));
    }
    for (std::size_t k = 0; long_enough && k < rule.stream_count; ++k) {
      const Stream& stream = rule.streams[k];
      if (layouts[k].data != nullptr || stream.role == Role::kOut) continue;
      add(job.streams[k], kBlock * info(stored_dtype(stream.storage, dtype)).bytes);
    }
    for (std::size_t i = 0; i < count_; ++i) {
      read_[i].share = (piece / kBlock * read_[i].bytes / kLine + times - 1) / times * kLine;
    }
  }
  // The piece that is next.
  void turn_to(const Job& job, std::size_t begin) {
    const std::size_t size = begin < job.size ? std::min(piece_, job.size - begin) : 0;
    for (std::size_t i = 0; i < count_; ++i) {
      Read& read = read_[i];
      read.at = read.base + begin / kBlock * read.bytes;
      read.left = size * read.bytes / kBlock;
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

  void add(const void* base, std::size_t bytes) {
    read_[count_++] = {static_cast<const char*>(base), bytes};
  }

  struct Read {
    const char* base;
    std::size_t bytes;      // of kBlock elements
    std::size_t share = 0;  // bytes to ask for each time
    const char* at = nullptr;
    std::size_t left = 0;
  };
  std::size_t piece_;
  Read read_[2 * kMaxStreams];
  std::size_t count_ = 0;
};

}  // namespace mdbopt
