// fold – the tree over chunks of fold.h, a tile of neighbouring chunks a block.
//
// A tile of 2048 chunks is a subtree: its first eleven levels touch no other tile, and what is left of
// an incomplete one moves up as the odd last chunk of a level does.
#include "bisect.cuh"
#include "fold.cuh"

namespace mdbopt::cuda {

namespace {

static_assert(kFoldTile == 2 * kFoldThreads, "a thread folds one pair of each level");

// Folds the first `count` values, a tile at most, to the first one. All threads of a block take part.
__device__ void fold_tile(Fold fold, double* values, std::uint32_t count) {
  __syncthreads();
  while (count > 1) {
    const std::uint32_t pairs = count / 2;
    const std::uint32_t i = threadIdx.x;
    double folded = 0.0;
    if (i < pairs) folded = combine(fold, values[2 * i], values[2 * i + 1]);
    if (i == pairs && count % 2 == 1) folded = values[count - 1];
    __syncthreads();
    count = pairs + count % 2;
    if (i < count) values[i] = folded;
    __syncthreads();
  }
}

// Folds a tile of values that are `apart` of each other.
__device__ double folded_tile(Fold fold, const double* from, std::size_t left, std::size_t apart) {
  __shared__ double values[kFoldTile];
  const auto count = static_cast<std::uint32_t>(left < kFoldTile ? left : kFoldTile);
  __syncthreads();  // until all have read the last one
  for (std::uint32_t i = threadIdx.x; i < count; i += blockDim.x) values[i] = from[i * apart];
  fold_tile(fold, values, count);
  return count > 0 ? values[0] : 0.0;
}

__device__ const DeviceJob* jobs_of(const FoldingEach& folding) {
  return folding.table != nullptr ? folding.table : folding.few;
}

}  // namespace

__global__ void __launch_bounds__(kFoldThreads)
    fold_kernel(const __grid_constant__ Folding folding) {
  const std::size_t tile = blockIdx.x / folding.sums;
  const std::uint32_t k = blockIdx.x % folding.sums;
  const std::size_t begin = tile * kFoldTile;
  if (folding.refused != nullptr && *folding.refused != 0) return;
  const std::size_t left = folding.count > begin ? folding.count - begin : 0;
  const double folded =
      folded_tile(folding.folds[k], folding.from + begin * folding.sums + k, left, folding.sums);
  if (threadIdx.x == 0) folding.to[tile * folding.sums + k] = folded;
}

__global__ void __launch_bounds__(kFoldThreads)
    fold_tiles_each_kernel(const __grid_constant__ FoldingEach folding) {
  const std::size_t place = blockIdx.x / folding.sums;
  const std::uint32_t k = blockIdx.x % folding.sums;
  if (folding.refused != nullptr && *folding.refused != 0) return;
  const DeviceJob* jobs = jobs_of(folding);
  const auto first_place = [=](std::uint32_t j) { return jobs[j].first_chunk / kFoldTile + j; };
  const std::uint32_t j = last_from(folding.jobs, place, first_place);
  const std::size_t begin = (place - first_place(j)) * kFoldTile;
  const std::size_t chunks = chunks_of(jobs[j].size);
  if (begin >= chunks) return;
  double* from = folding.partials + (jobs[j].first_chunk + begin) * folding.sums + k;
  const double folded = folded_tile(folding.folds[k], from, chunks - begin, folding.sums);
  if (threadIdx.x == 0) *from = folded;
}

__global__ void __launch_bounds__(kFoldThreads)
    fold_each_kernel(const __grid_constant__ FoldingEach folding) {
  const std::size_t j = blockIdx.x / folding.sums;
  const std::uint32_t k = blockIdx.x % folding.sums;
  if (folding.refused != nullptr && *folding.refused != 0) return;
  const DeviceJob& job = jobs_of(folding)[j];
  double* partials = folding.partials + job.first_chunk * folding.sums + k;
  std::size_t apart = folding.folded;
  std::size_t count = (chunks_of(job.size) + apart - 1) / apart;
  double folded = 0.0;
  // A level of tiles at a time: what a tile becomes takes the place of chunks that were read before.
  do {
    std::size_t tiles = 0;
    for (std::size_t begin = 0; begin < count; begin += kFoldTile, ++tiles) {
      const double* from = partials + begin * apart * folding.sums;
      folded = folded_tile(folding.folds[k], from, count - begin, apart * folding.sums);
      if (threadIdx.x == 0) partials[tiles * folding.sums] = folded;
    }
    count = tiles;
    apart = 1;
  } while (count > 1);
  if (threadIdx.x == 0) folding.to[j * folding.apart + k] = folded;
}

}  // namespace mdbopt::cuda
