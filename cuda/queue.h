// queue – kernels put on a stream: walks, folds and what runs on one thread.
#pragma once

#include <cuda_runtime.h>

#include "../csrc/rule.h"
#include "../csrc/tensor.h"
#include "device.h"
#include "walk.h"

namespace mdbopt::cuda {

// Launches a kernel that takes one structure.
template <class Arguments>
void launch(void (*kernel)(Arguments), std::size_t blocks, unsigned threads, Arguments arguments,
            const Place& place, const char* doing) {
  void* pointers[] = {&arguments};
  check(cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks)), dim3(threads), pointers, 0,
                         stream_of(place)),
        place.device, doing);
}

// Blocks worth launching for so many units of work, of which a block does some at a time.
std::size_t blocks_for(std::size_t units, std::size_t units_per_block, const Place& place);

void queue_walk(WalkKernel kernel, std::size_t sums, const Walk& walk, const Place& place,
                const char* rule);

// Doubles that folding so many chunks needs beside them.
std::size_t fold_scratch(std::size_t chunks, std::size_t sums);

// Folds partials of `chunks` chunks into to[0 … count − 1]; overwrites partials and scratch.
void queue_fold(const Sum* sums, std::size_t count, double* partials, double* scratch,
                std::size_t chunks, double* to, const std::uint32_t* refused, const Place& place);

// One rule over its jobs: gather, fold, solve, apply, fold.
struct Run {
  const Description& rule;
  const Row& row;
  Walk walk;  // all but its partials
  double n;
  bool stochastic;
  // On the device; null for a rule without sums.
  double* partials = nullptr;
  double* scratch = nullptr;
  double* sums = nullptr;
  void* solved = nullptr;
  std::uint32_t* refused = nullptr;
};
void queue_run(const Run& run, const Place& place);

}  // namespace mdbopt::cuda
