// groups – sums over groups of coordinates and their way back, on the device.
#pragma once

#include "../csrc/runtime/device.h"

namespace mdbopt::cuda {

// Doubles that summing groups needs beside its arrays.
std::size_t group_scratch(const Partition& partition);
// As DeviceLibrary::sum_groups and spread_groups.
void queue_sum_groups(const Location& location, const Partition& partition, const double* values,
                      double* sums, double* scratch, const std::uint32_t* skip);
void queue_spread_groups(const Location& location, const Partition& partition,
                         const double* per_group, double* values, const std::uint32_t* skip);

}  // namespace mdbopt::cuda
