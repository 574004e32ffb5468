// error – CUDA's error codes as exceptions.
#pragma once

#include <cuda_runtime.h>
#include <mdbopt/error.h>

#include <string>

namespace mdbopt::cuda {

// Throws OutOfMemory or DeviceError: "cuda:0: <doing>: <what CUDA says>". A kernel runs after its
// launch has returned, so that an error may be that of any work queued before.
inline void check(cudaError_t error, int device, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // one that is not lasting must not be found by the next caller
  const std::string what =
      std::string(": ") + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
  const std::string where = "cuda:" + std::to_string(device) + ": ";
  if (error == cudaErrorMemoryAllocation) throw OutOfMemory(where + doing + what);
  throw DeviceError(where + doing + what);
}

}  // namespace mdbopt::cuda
