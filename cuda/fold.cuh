// fold – sums of chunks to sums of all.
#pragma once

#include <cuda_runtime.h>

#include "walk_arguments.h"

namespace mdbopt::cuda {

// Folds each tile of kFoldTile chunks to one, on as many blocks as tiles times sums, each with more
// threads than a tile has pairs, or kFoldThreads.
__global__ void fold_kernel(const __grid_constant__ Folding folding);

}  // namespace mdbopt::cuda
