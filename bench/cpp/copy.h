// copy – the yardstick: a plain loop that reads and writes what a launch of the rule does, in as
// many walks and on the same streams, and computes nothing.
#pragma once

#include <cstddef>

#include "engine/launch.h"

namespace bench {

class Copy {
 public:
  // In how many elements of a stream to copy before its neighbours' turn: few suit memory, many
  // suit caches. The faster one is the yardstick.
  static constexpr std::size_t kBlocks[] = {64, 1024};

  Copy(const mdbopt::Description& rule, mdbopt::Dtype dtype, void* const* streams, std::size_t size,
       std::size_t threads);
  // Leaves streams that the rule reads as they were.
  void run(std::size_t block) const;

  // From one stream to another or to itself; only read where `to` is null, only written where
  // `from` is.
  struct Move {
    const std::byte* from;
    std::byte* to;
    std::size_t width;  // bytes per element
  };
  struct Walk {
    Move moves[mdbopt::kMaxStreams];
    std::size_t count;
    std::size_t bytes;  // per element
  };

 private:
  void gather(const std::byte* data, std::size_t width);
  void apply(std::byte* data, std::size_t width, mdbopt::Role role);
  void run(const Walk& walk, std::size_t block) const;

  std::size_t size_, threads_;
  Walk gather_{};
  Walk apply_{};
};

}  // namespace bench
