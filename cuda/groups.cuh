// groups – sums over groups of coordinates and their way back, on the device.
#pragma once

#include "../csrc/device.h"

namespace mdbopt::cuda {

// As DeviceLibrary::sum_groups and spread_groups.
void queue_sum_groups(const Place& place, const double* values,
                      const DeviceLibrary::Partition& partition, double* sums);
void queue_spread_groups(const Place& place, const double* per_group, const std::size_t* group_of,
                         std::size_t size, double* values);

}  // namespace mdbopt::cuda
