// group_sum – a partition of the coordinates, and the sum of scattered elements in the order of fold.h, on
// host and device.
#pragma once

#include <cstddef>

#include "fold.h"

namespace mdbopt {

// Lists the members, group after group: group j are member[first[j]] … member[first[j + 1] − 1], and
// coordinate i is in group_of[i]. Not owned; it lies where the arrays do.
struct Partition {
  const std::size_t* member = nullptr;
  const std::size_t* first = nullptr;
  const std::size_t* group_of = nullptr;
  std::size_t groups = 0, coordinates = 0;
};

// Σ values[member[i]] for i < count ≤ kChunk.
MDBOPT_INLINE double sum_member_chunk(const double* values, const std::size_t* member,
                                      std::size_t count) {
  double lanes[kLanes] = {};
  for (std::size_t i = 0; i < count; ++i) lanes[i % kLanes] += values[member[i]];
  return fold_lanes(Fold::kAdd, lanes);
}

// The tree of fold_chunks over sums that come one by one, with one partial sum per level, as in binary
// counting.
class ChunkTree {
 public:
  MDBOPT_INLINE void add(double sum) {
    std::size_t height = 0;
    for (std::size_t filled = chunks_; filled % 2 == 1; filled /= 2) sum = level_[height++] + sum;
    level_[height] = sum;
    ++chunks_;
  }
  MDBOPT_INLINE double total() const {
    double total = 0.0;
    bool started = false;
    for (std::size_t height = 0, filled = chunks_; filled > 0; filled /= 2, ++height) {
      if (filled % 2 == 0) continue;
      total = started ? level_[height] + total : level_[height];
      started = true;
    }
    return total;
  }

 private:
  double level_[64];
  std::size_t chunks_ = 0;
};

// The same for any count.
MDBOPT_INLINE double sum_members(const double* values, const std::size_t* member,
                                 std::size_t count) {
  if (count == 1) return values[member[0]];
  ChunkTree tree;
  for (std::size_t begin = 0; begin < count; begin += kChunk) {
    const std::size_t left = count - begin;
    tree.add(sum_member_chunk(values, member + begin, left < kChunk ? left : kChunk));
  }
  return tree.total();
}

}  // namespace mdbopt
