// groups – a partition of the coordinates: sums over a group, and one number per group spread over
// its coordinates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "../launch.h"
#include "buffer.h"

namespace mdbopt::search {

// Groups are renumbered in the order in which they first appear, so that a partition into single
// coordinates is the identity whatever its labels, and takes the same sums in the same order as no
// partition at all.
class Groups {
 public:
  Groups() = default;
  explicit Groups(std::span<const std::int64_t> labels);

  bool empty() const { return group_of_.empty(); }
  std::size_t count() const { return first_.empty() ? 0 : first_.size() - 1; }

  // sums[j] = Σ over group j of values[i], in the order of fold.h within each group.
  void sum(const Buffer& values, Buffer& sums, const Execution& execution) const;
  // values[i] = per_group[group of i].
  void spread(const Buffer& per_group, Buffer& values, const Execution& execution) const;

 private:
  std::vector<std::size_t> group_of_;
  std::vector<std::size_t> member_;  // coordinates, group after group
  std::vector<std::size_t> first_;   // member_[first_[j]] … member_[first_[j + 1] − 1] are group j
};

}  // namespace mdbopt::search
