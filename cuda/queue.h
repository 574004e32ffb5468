// queue – kernels put on a stream: walks, folds and what runs on one thread.
#pragma once

#include <cuda_runtime.h>
#include <mdbopt/tensor.h>

#include "../csrc/engine/rule.h"
#include "device.h"
#include "walk_arguments.h"

namespace mdbopt::cuda {

// Launches a kernel that takes one structure.
template <class Arguments>
void launch(void (*kernel)(Arguments), std::size_t blocks, unsigned threads, Arguments arguments,
            const Location& location, const char* doing) {
  void* pointers[] = {&arguments};
  check(cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks)), dim3(threads), pointers, 0,
                         stream_of(location)),
        location.device, doing);
}

// Blocks worth launching for so many units of work, of which a block does some at a time.
std::size_t blocks_for(std::size_t units, std::size_t units_per_block, const Location& location);

// by_chunk: a warp takes a whole chunk at a time.
void queue_walk(WalkKernel kernel, bool by_chunk, const WalkArguments& walk,
                const Location& location, const char* rule);

// Doubles that folding so many chunks needs beside them.
std::size_t fold_scratch(std::size_t chunks, std::size_t sums);

// Folds partials of `chunks` chunks into to[0 … count − 1]; overwrites partials and scratch.
void queue_fold(const Sum* sums, std::size_t count, double* partials, double* scratch,
                std::size_t chunks, double* to, const std::uint32_t* refused,
                const Location& location);

// Folds partials of each of the walk's jobs into to[j * apart + 0 … count − 1]; overwrites partials.
void queue_fold_each(const Sum* sums, std::size_t count, const WalkArguments& walk, double* to,
                     std::size_t apart, const Location& location);

// One rule over its jobs: gather, fold, solve, apply, fold.
struct Run {
  const Description& rule;
  const CompiledRule& row;
  WalkArguments walk;  // all but its partials
  double n;
  bool stochastic;
  // On the device; null for a rule without sums.
  double* partials = nullptr;
  double* scratch = nullptr;
  double* sums =
      nullptr;  // all that the rule has; of each job, one after the other, in Scope::kArray
  void* solved = nullptr;  // likewise the coefs, kMaxCoefBytes apart
  std::uint32_t* refused = nullptr;
  CarriedNumbers carried = {};
  bool formats = false;  // whether some arrays are in one
};
void queue_run(const Run& run, const Location& location);

}  // namespace mdbopt::cuda
