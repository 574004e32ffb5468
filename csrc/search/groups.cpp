// groups – sums of a group in the fixed order; threads share out whole groups.
#include "groups.h"

#include <algorithm>
#include <unordered_map>

#include "../fold.h"
#include "../pool.h"

namespace mdbopt::search {
namespace {

constexpr double kNanosecondsPerCoordinate = 2.0;  // read by an index

template <class Body>
void share(std::size_t count, std::size_t coordinates, const Execution& execution, Body body) {
  const std::size_t threads = threads_of(execution);
  const std::size_t wanted =
      parts_for(threads, kNanosecondsPerCoordinate * static_cast<double>(coordinates));
  const std::size_t parts = std::min(wanted, std::max<std::size_t>(1, count));
  struct Context {
    std::size_t count, parts;
    Body& body;
  } context{count, parts, body};
  parallel(
      parts, threads,
      [](void* opaque, std::size_t part) {
        const Context& c = *static_cast<Context*>(opaque);
        c.body(part * c.count / c.parts, (part + 1) * c.count / c.parts);
      },
      &context);
}

double sum_members(const double* values, const std::size_t* member, std::size_t count) {
  if (count == 1) return values[member[0]];
  // A group of any size needs one partial sum per level of the tree over chunks, as in binary
  // counting.
  double level[64];
  std::size_t chunks = 0;
  for (std::size_t begin = 0; begin < count; begin += kChunk, ++chunks) {
    double lanes[kLanes] = {};
    const std::size_t end = std::min(count, begin + kChunk);
    for (std::size_t i = begin; i < end; ++i) lanes[(i - begin) % kLanes] += values[member[i]];
    double carried = fold_lanes(Fold::kAdd, lanes);
    std::size_t height = 0;
    for (std::size_t filled = chunks; filled % 2 == 1; filled /= 2)
      carried = level[height++] + carried;
    level[height] = carried;
  }
  double total = 0.0;
  bool started = false;
  for (std::size_t height = 0, filled = chunks; filled > 0; filled /= 2, ++height) {
    if (filled % 2 == 0) continue;
    total = started ? level[height] + total : level[height];
    started = true;
  }
  return total;
}

}  // namespace

Groups::Groups(std::span<const std::int64_t> labels)
    : group_of_(labels.size()), member_(labels.size()) {
  std::unordered_map<std::int64_t, std::size_t> number;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    group_of_[i] = number.try_emplace(labels[i], number.size()).first->second;
  }
  first_.assign(number.size() + 1, 0);
  for (std::size_t group : group_of_) ++first_[group + 1];
  for (std::size_t j = 0; j < number.size(); ++j) first_[j + 1] += first_[j];
  std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
  for (std::size_t i = 0; i < labels.size(); ++i) member_[next[group_of_[i]]++] = i;
}

void Groups::sum(const Buffer& values, Buffer& sums, const Execution& execution) const {
  share(count(), values.size(), execution, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      sums.doubles()[j] =
          sum_members(values.doubles(), member_.data() + first_[j], first_[j + 1] - first_[j]);
    }
  });
}

void Groups::spread(const Buffer& per_group, Buffer& values, const Execution& execution) const {
  share(values.size(), values.size(), execution, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      values.doubles()[i] = per_group.doubles()[group_of_[i]];
  });
}

}  // namespace mdbopt::search
