// fold – the tree over chunks of fold.h, a tile of neighbouring chunks a block.
//
// A tile of 2048 chunks is a subtree: its first eleven levels touch no other tile, and what is left of
// an incomplete one moves up as the odd last chunk of a level does.
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

}  // namespace

__global__ void __launch_bounds__(kFoldThreads)
    fold_kernel(const __grid_constant__ Folding folding) {
  __shared__ double values[kFoldTile];
  const std::size_t tile = blockIdx.x / folding.sums;
  const std::uint32_t k = blockIdx.x % folding.sums;
  const std::size_t begin = tile * kFoldTile;
  if (folding.refused != nullptr && *folding.refused != 0) return;
  std::size_t left = folding.count > begin ? folding.count - begin : 0;
  if (left > kFoldTile) left = kFoldTile;
  const auto count = static_cast<std::uint32_t>(left);
  for (std::uint32_t i = threadIdx.x; i < count; i += blockDim.x) {
    values[i] = folding.from[(begin + i) * folding.sums + k];
  }
  fold_tile(folding.folds[k], values, count);
  if (threadIdx.x == 0) folding.to[tile * folding.sums + k] = count > 0 ? values[0] : 0.0;
}

__global__ void __launch_bounds__(kFoldThreads)
    fold_each_kernel(const __grid_constant__ FoldingEach folding) {
  __shared__ double values[kFoldTile];
  const std::size_t j = blockIdx.x / folding.sums;
  const std::uint32_t k = blockIdx.x % folding.sums;
  if (folding.refused != nullptr && *folding.refused != 0) return;
  const DeviceJob& job = (folding.table != nullptr ? folding.table : folding.few)[j];
  double* partials = folding.partials + job.first_chunk * folding.sums + k;
  std::size_t count = chunks_of(job.size);
  // A level of tiles at a time: what a tile becomes takes the place of chunks that were read before.
  do {
    std::size_t tiles = 0;
    for (std::size_t begin = 0; begin < count; begin += kFoldTile, ++tiles) {
      const std::size_t left = count - begin < kFoldTile ? count - begin : kFoldTile;
      for (std::size_t i = threadIdx.x; i < left; i += blockDim.x) {
        values[i] = partials[(begin + i) * folding.sums];
      }
      fold_tile(folding.folds[k], values, static_cast<std::uint32_t>(left));
      if (threadIdx.x == 0) partials[tiles * folding.sums] = values[0];
      __syncthreads();
    }
    count = tiles;
  } while (count > 1);
  if (threadIdx.x == 0) folding.to[j * folding.apart + k] = count > 0 ? partials[0] : 0.0;
}

}  // namespace mdbopt::cuda
