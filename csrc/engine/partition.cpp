// partition – threads share out whole groups.
#include "partition.h"

#include <algorithm>

#include "../runtime/device.h"
#include "launch.h"
#include "pool.h"
#include "reduction.h"

namespace mdbopt {
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

}  // namespace

void sum_groups(const Partition& partition, const double* values, double* sums,
                const Execution& execution) {
  if (!execution.location.on_cpu()) {
    return device_library().sum_groups(execution.location, partition, values, sums);
  }
  const Partition& p = partition;
  share(p.groups, p.coordinates, execution, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      sums[j] = sum_members(values, p.member + p.first[j], p.first[j + 1] - p.first[j]);
    }
  });
  if (execution.reduction != nullptr) execution.reduction->add({sums, p.groups});
}

void spread_groups(const Partition& partition, const double* per_group, double* values,
                   const Execution& execution) {
  if (!execution.location.on_cpu()) {
    return device_library().spread_groups(execution.location, partition, per_group, values);
  }
  const Partition& p = partition;
  share(p.coordinates, p.coordinates, execution, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) values[i] = per_group[p.group_of[i]];
  });
}

}  // namespace mdbopt
