// partition – coordinates in groups: sums over a group, and one number per group spread over its
// coordinates.
#pragma once

#include <mdbopt/execution.h>

#include "../base/group_sum.h"

namespace mdbopt {

// sums[j] = Σ over group j of values[i], in the order of fold.h within each group; shards add theirs to
// it in their order.
void sum_groups(const Partition& partition, const double* values, double* sums,
                const Execution& execution);
// values[i] = per_group[group_of[i]].
void spread_groups(const Partition& partition, const double* per_group, double* values,
                   const Execution& execution);

}  // namespace mdbopt
