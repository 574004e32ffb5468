// groups – a warp sums a chunk of a group, its threads the lanes of fold.h, then one folds the chunks of
// each group; spreading is a look-up.
#include "groups.cuh"

#include "../csrc/base/group_sum.h"
#include "memory.h"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

struct Summing {
  const double* values;
  Partition partition;
  double* partials;
  double* sums;
  const std::uint32_t* skip;
};

// Where the sums of a group's chunks lie: group j has as many places as chunks, or more, from
// first[j] / 1024 + j on, so that no table of them is needed.
__device__ inline std::size_t position_of(const Partition& p, std::size_t group) {
  return p.first[group] / kChunk + group;
}
__host__ __device__ inline std::size_t positions_of(const Partition& p) {
  return p.coordinates / kChunk + p.groups;
}

// The group that a position belongs to: the last that begins at or before it.
__device__ inline std::size_t group_at(const Partition& p, std::size_t position) {
  std::size_t group = 0;
  for (std::size_t count = p.groups; count > 1;) {
    const std::size_t half = count / 2;
    const bool later = position_of(p, group + half) <= position;
    group = later ? group + half : group;
    count = later ? count - half : half;
  }
  return group;
}

__device__ inline std::size_t warp_of_grid() {
  return blockIdx.x * (blockDim.x / kWarp) + threadIdx.x / kWarp;
}
__device__ inline std::size_t warps_of_grid() {
  return std::size_t{gridDim.x} * (blockDim.x / kWarp);
}

struct Spreading {
  const double* per_group;
  const std::size_t* group_of;
  std::size_t size;
  double* values;
  const std::uint32_t* skip;
};

__device__ inline bool skipped(const std::uint32_t* skip) { return skip != nullptr && *skip != 0; }

// A warp sums a chunk of a group.
__global__ void __launch_bounds__(kWalkThreads) chunks_kernel(const __grid_constant__ Summing s) {
  if (skipped(s.skip)) return;
  const Partition& p = s.partition;
  const unsigned lane = threadIdx.x % kWarp;
  for (std::size_t position = warp_of_grid(); position < positions_of(p);
       position += warps_of_grid()) {
    const std::size_t j = group_at(p, position);
    const std::size_t begin = p.first[j] + (position - position_of(p, j)) * kChunk;
    const std::size_t group_end = p.first[j + 1];
    if (begin >= group_end) continue;
    const std::size_t end = group_end - begin < kChunk ? group_end : begin + kChunk;
    double sum = 0.0;
    for (std::size_t i = begin + lane; i < end; i += kWarp) sum += s.values[p.member[i]];
    for (unsigned half = kWarp / 2; half > 0; half /= 2) {
      sum = sum + __shfl_down_sync(~0U, sum, half);
    }
    if (lane == 0) s.partials[position] = sum;
  }
}

// The neighbouring pairs of fold_chunks among the first `count` threads; the result is thread 0's.
__device__ inline double fold_neighbours(double value, unsigned count) {
  const unsigned lane = threadIdx.x % kWarp;
  while (count > 1) {
    const unsigned pairs = count / 2;
    const double left = __shfl_sync(~0U, value, static_cast<int>(2 * lane % kWarp));
    const double right = __shfl_sync(~0U, value, static_cast<int>((2 * lane + 1) % kWarp));
    const bool odd = lane == pairs && count % 2 == 1;
    value = odd ? left : left + right;
    count = pairs + count % 2;
  }
  return value;
}

// A warp folds the chunks of a group, 32 of them to a node of its tree.
__global__ void __launch_bounds__(kWalkThreads) groups_kernel(const __grid_constant__ Summing s) {
  if (skipped(s.skip)) return;
  const Partition& p = s.partition;
  const unsigned lane = threadIdx.x % kWarp;
  for (std::size_t j = warp_of_grid(); j < p.groups; j += warps_of_grid()) {
    const std::size_t members = p.first[j + 1] - p.first[j];
    const std::size_t chunks = (members + kChunk - 1) / kChunk;
    ChunkTree tree;
    for (std::size_t chunk = 0; chunk < chunks; chunk += kWarp) {
      const std::size_t left = chunks - chunk;
      const unsigned count = left < kWarp ? static_cast<unsigned>(left) : kWarp;
      const double sum = lane < count ? s.partials[position_of(p, j) + chunk + lane] : 0.0;
      tree.add(fold_neighbours(sum, count));
    }
    if (lane == 0) s.sums[j] = members == 1 ? s.values[p.member[p.first[j]]] : tree.total();
  }
}

__global__ void __launch_bounds__(kWalkThreads) spread_kernel(const __grid_constant__ Spreading s) {
  if (skipped(s.skip)) return;
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < s.size;
       i += stride) {
    s.values[i] = s.per_group[s.group_of[i]];
  }
}

}  // namespace

std::size_t group_scratch(const Partition& partition) { return positions_of(partition); }

void queue_sum_groups(const Location& location, const Partition& partition, const double* values,
                      double* sums, double* scratch, const std::uint32_t* skip) {
  const OnDevice scope(location.device);
  if (partition.groups == 0) return;
  constexpr std::size_t kWarps = kWalkThreads / kWarp;
  const std::size_t places = positions_of(partition);
  const Summing summing{values, partition, scratch, sums, skip};
  launch(chunks_kernel, blocks_for(places, kWarps, location), kWalkThreads, summing, location,
         "summing groups");
  launch(groups_kernel, blocks_for(partition.groups, kWarps, location), kWalkThreads, summing,
         location, "summing groups");
}

void queue_spread_groups(const Location& location, const Partition& partition,
                         const double* per_group, double* values, const std::uint32_t* skip) {
  const OnDevice scope(location.device);
  const std::size_t size = partition.coordinates;
  if (size == 0) return;
  launch(spread_kernel, blocks_for(size, kWalkThreads, location), kWalkThreads,
         Spreading{per_group, partition.group_of, size, values, skip}, location,
         "spreading over groups");
}

}  // namespace mdbopt::cuda
