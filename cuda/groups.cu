// groups – a warp sums a group, its threads the lanes of fold.h; spreading is a look-up.
#include "groups.cuh"

#include "../csrc/group_sum.h"
#include "queue.h"

namespace mdbopt::cuda {
namespace {

struct Summing {
  const double* values;
  const std::size_t* member;
  const std::size_t* first;
  std::size_t count;
  double* sums;
};

struct Spreading {
  const double* per_group;
  const std::size_t* group_of;
  std::size_t size;
  double* values;
};

__global__ void __launch_bounds__(kWalkThreads) sum_kernel(const __grid_constant__ Summing s) {
  const std::size_t warps = blockDim.x / kWarp;
  const unsigned lane = threadIdx.x % kWarp;
  for (std::size_t j = blockIdx.x * warps + threadIdx.x / kWarp; j < s.count;
       j += gridDim.x * warps) {
    const std::size_t begin = s.first[j];
    const std::size_t end = s.first[j + 1];
    ChunkTree tree;
    for (std::size_t chunk = begin; chunk < end; chunk += kChunk) {
      const std::size_t chunk_end = end - chunk < kChunk ? end : chunk + kChunk;
      double sum = 0.0;
      for (std::size_t i = chunk + lane; i < chunk_end; i += kWarp) sum += s.values[s.member[i]];
      for (unsigned half = kWarp / 2; half > 0; half /= 2) {
        sum = sum + __shfl_down_sync(~0U, sum, half);
      }
      tree.add(sum);
    }
    if (lane == 0) s.sums[j] = end - begin == 1 ? s.values[s.member[begin]] : tree.total();
  }
}

__global__ void __launch_bounds__(kWalkThreads) spread_kernel(const __grid_constant__ Spreading s) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < s.size;
       i += stride) {
    s.values[i] = s.per_group[s.group_of[i]];
  }
}

}  // namespace

void queue_sum_groups(const Place& place, const double* values, const std::size_t* member,
                      const std::size_t* first, std::size_t count, double* sums) {
  const OnDevice scope(place.device);
  if (count == 0) return;
  launch(sum_kernel, blocks_for(count, kWalkThreads / kWarp, place), kWalkThreads,
         Summing{values, member, first, count, sums}, place, "summing groups");
}

void queue_spread_groups(const Place& place, const double* per_group, const std::size_t* group_of,
                         std::size_t size, double* values) {
  const OnDevice scope(place.device);
  if (size == 0) return;
  launch(spread_kernel, blocks_for(size, kWalkThreads, place), kWalkThreads,
         Spreading{per_group, group_of, size, values}, place, "spreading over groups");
}

}  // namespace mdbopt::cuda
