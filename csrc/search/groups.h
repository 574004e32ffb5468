// groups – a partition of the coordinates by labels, and its arrays.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "../base/group_sum.h"
#include "../engine/reduction.h"
#include "memory.h"

namespace mdbopt::search {

// Groups are renumbered in the order in which they first appear, so that a partition into single
// coordinates is the identity whatever its labels, and takes the same sums in the same order as no
// partition at all.
class Groups {
 public:
  Groups() = default;
  // Of shards, which share their groups: they are renumbered in the order of the whole.
  explicit Groups(std::span<const std::int64_t> labels, const Where& where = {},
                  Reduction* reduction = nullptr);

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  // The same words for the same partition, whatever its labels.
  const std::string& identity() const { return identity_; }

  Partition partition() const {
    return {indices(member_), indices(first_), indices(group_of_), count_, labels_};
  }

 private:
  static const std::size_t* indices(const Memory& memory) {
    return static_cast<const std::size_t*>(memory.data());
  }

  std::size_t count_ = 0;
  std::size_t labels_ = 0;
  std::string identity_ = "none";
  // Of std::size_t, where the arrays are that they index.
  Memory group_of_;
  Memory member_;  // coordinates, group after group
  Memory first_;   // member[first[j]] … member[first[j + 1] − 1] are group j
};

}  // namespace mdbopt::search
