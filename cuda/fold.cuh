// fold – sums of chunks to sums of all.
#pragma once

#include <cuda_runtime.h>

#include "walk_arguments.h"

namespace mdbopt::cuda {

// Folds each tile of kFoldTile chunks to one, on as many blocks as tiles times sums, each with more
// threads than a tile has pairs, or kFoldThreads.
__global__ void fold_kernel(const __grid_constant__ Folding folding);

// The same of each job by itself, to the place of the tile's first chunk, on as many blocks as places of tiles times
// sums, of kFoldThreads. A job's tiles have the places from first_chunk/kFoldTile + job on, which no two share.
__global__ void fold_tiles_each_kernel(const __grid_constant__ FoldingEach folding);

// Folds what is left of each job, on as many blocks as jobs times sums, of kFoldThreads.
__global__ void fold_each_kernel(const __grid_constant__ FoldingEach folding);

}  // namespace mdbopt::cuda
