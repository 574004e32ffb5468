// ahead – asks for what a walk reads of the next chunk where it lies, a share each time. To open and close codes
// takes the processor so long that memory rests meanwhile, and a walk that follows would wait for it.
#pragma once

#include <mdbopt/description.h>
#include <mdbopt/launch.h>

#include <algorithm>
#include <cstddef>

#include "../base/fold.h"
#include "layout.h"

namespace mdbopt {

class Ahead {
 public:
  Ahead(const Description& rule, const Layout* layouts, Dtype dtype) {
    for (std::size_t k = 0; k < rule.stream_count; ++k) {
      const Stream& stream = rule.streams[k];
      if (is_codes(layouts[k].format)) {
        times_ += 2;
      } else if (layouts[k].data == nullptr && stream.role != Role::kOut) {
        read_[count_++] = {k, info(stored_dtype(stream.storage, dtype)).bytes};
      }
    }
    if (times_ == kBesides) count_ = 0;
  }
  // The chunk that is next.
  void turn_to(const Job& job, std::size_t begin) {
    job_ = &job;
    size_ = begin < job.size ? std::min(kChunk, job.size - begin) : 0;
    begin_ = begin;
    done_ = 0;
  }
  void ask() {
    for (std::size_t i = 0; i < count_; ++i) {
      const auto& [k, bytes] = read_[i];
      const char* at = static_cast<const char*>(job_->streams[k]) + begin_ * bytes;
      const std::size_t lines = size_ * bytes / kLine;
      const std::size_t end = (done_ + 1) * lines / times_;
      for (std::size_t line = done_ * lines / times_; line < end; ++line) {
        __builtin_prefetch(at + line * kLine, 0, 2);
      }
    }
    if (++done_ == times_) size_ = 0;
  }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kBesides = 2;  // before the walk and before random bits are drawn

  struct Read {
    std::size_t stream, bytes;
  };
  Read read_[kMaxStreams];
  std::size_t count_ = 0;
  const Job* job_ = nullptr;
  std::size_t begin_ = 0, size_ = 0;
  std::size_t times_ = kBesides, done_ = 0;
};

}  // namespace mdbopt
