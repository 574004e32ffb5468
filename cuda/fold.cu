// fold – the tree over chunks of fold.h, a tile of neighbouring chunks a block.
//
// A tile of 2048 chunks is a subtree: its first eleven levels touch no other tile, and what is left of
// an incomplete one moves up as the odd last chunk of a level does.
#include "fold.cuh"

namespace mdbopt::cuda {

__global__ void __launch_bounds__(kFoldThreads)
    fold_kernel(const __grid_constant__ Folding folding) {
  static_assert(kFoldTile == 2 * kFoldThreads, "a thread folds one pair of each level");
  __shared__ double values[kFoldTile];
  const std::size_t tile = blockIdx.x / folding.sums;
  const std::uint32_t k = blockIdx.x % folding.sums;
  const std::size_t begin = tile * kFoldTile;
  if (folding.refused != nullptr && *folding.refused != 0) return;
  std::size_t left = folding.count > begin ? folding.count - begin : 0;
  if (left > kFoldTile) left = kFoldTile;
  std::uint32_t count = static_cast<std::uint32_t>(left);
  for (std::uint32_t i = threadIdx.x; i < count; i += blockDim.x) {
    values[i] = folding.from[(begin + i) * folding.sums + k];
  }
  __syncthreads();
  while (count > 1) {
    const std::uint32_t pairs = count / 2;
    const std::uint32_t i = threadIdx.x;
    double folded = 0.0;
    if (i < pairs) folded = combine(folding.folds[k], values[2 * i], values[2 * i + 1]);
    if (i == pairs && count % 2 == 1) folded = values[count - 1];
    __syncthreads();
    count = pairs + count % 2;
    if (i < count) values[i] = folded;
    __syncthreads();
  }
  if (threadIdx.x == 0) folding.to[tile * folding.sums + k] = count == 1 ? values[0] : 0.0;
}

}  // namespace mdbopt::cuda
