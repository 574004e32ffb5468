// partition – coordinates in groups: sums over a group, and one number per group spread over its
// coordinates.
#pragma once

#include <cstddef>

#include "launch.h"

namespace mdbopt {

// Lists the members, group after group: group j are member[first[j]] … member[first[j + 1] − 1], and
// coordinate i is in group_of[i]. Not owned; it lies where the arrays do.
struct Partition {
  const std::size_t* member = nullptr;
  const std::size_t* first = nullptr;
  const std::size_t* group_of = nullptr;
  std::size_t groups = 0, coordinates = 0;
};

// sums[j] = Σ over group j of values[i], in the order of fold.h within each group.
void sum_groups(const Partition& partition, const double* values, double* sums,
                const Execution& execution);
// values[i] = per_group[group_of[i]].
void spread_groups(const Partition& partition, const double* per_group, double* values,
                   const Execution& execution);

}  // namespace mdbopt
