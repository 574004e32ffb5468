// opening – the kernels of opening.h.
#pragma once

#include <cuda_runtime.h>

#include "opening.h"

namespace mdbopt::cuda {

__global__ void open_kernel(const __grid_constant__ Opening opening);
__global__ void close_kernel(const __grid_constant__ Opening opening);

}  // namespace mdbopt::cuda
