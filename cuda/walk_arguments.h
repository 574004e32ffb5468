// walk_arguments – what a kernel is given: jobs, numbers, and where its sums go.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../csrc/engine/format.h"
#include "../csrc/engine/program.h"

namespace mdbopt::cuda {

// So few jobs travel with the launch itself; more lie in a table on the device.
inline constexpr std::uint32_t kFewJobs = 4;

// Beside a job, where arrays are in a format or something follows an update.
struct StoredJob {
  std::uint16_t* low;        // the second half of kRemainder
  void* average;             // that what follows keeps; may be null
  std::uint32_t formats;     // a Format for each stream
  std::uint32_t stochastic;  // a bit for each stream that is rounded so
};
inline constexpr std::uint32_t kFormatBits = 4;
static_assert(kFormatCount < 1U << kFormatBits && kMaxStreams * kFormatBits <= 32);

// What all walks are given, whatever the rule, so that one call launches any.
struct WalkArguments {
  const DeviceJob* table;  // null: `few`
  DeviceJob few[kFewJobs];
  std::uint32_t jobs;
  bool packed;  // every array starts at a multiple of 16 bytes
  std::size_t chunks;
  const void* coef;  // on the device; null: `host_coef`
  bool coef_each;    // one for each job, kMaxCoefBytes apart: of a rule of Scope::kArray
  alignas(16) unsigned char host_coef[kMaxCoefBytes];
  const double* lr;          // on the device, in the place of the jobs' own; may be null
  const std::uint64_t* key;  // of the random bits, on the device; null: `host_key`
  std::uint64_t host_key;
  const std::uint32_t* refused;  // nothing is walked where this is not 0; may be null
  double* partials;
  const StoredJob* stored;  // by job; null where all arrays are plain and nothing follows
  const void* following;    // the coef of what follows, on the device; null: nothing does
};
using WalkKernel = void (*)(WalkArguments);

// The sums of each chunk, to be folded to those of all.
struct Folding {
  const double* from;  // from[i * sums + k], of `count` chunks
  double* to;
  std::size_t count;
  std::uint32_t sums;
  Fold folds[kMaxSums];
  const std::uint32_t* refused;  // nothing is folded where this is not 0; may be null
};

// The same for the chunks of each job by itself.
struct FoldingEach {
  const DeviceJob* table;  // null: `few`
  DeviceJob few[kFewJobs];
  double* partials;  // as `from`, of all jobs' chunks; overwritten
  double* to;        // of job j: to[j * apart + k]
  std::size_t apart;
  std::uint32_t jobs, sums;
  Fold folds[kMaxSums];
  const std::uint32_t* refused;
  std::size_t folded;  // chunks that are one by now, in the place of the first
};

// The numbers that a rule of Scope::kArray passes on to the next step, array by array; each is that sum
// of this step and that scalar of the next.
struct CarriedNumbers {
  double* numbers;
  std::uint32_t count;
  struct {
    std::uint32_t scalar, sum;
  } each[kMaxSums];
};

// What solve is given: one thread does it, or one for each job where the rule is of Scope::kArray.
struct Solving {
  double* sums;  // of job j: sums + j * apart
  double n;
  const DeviceJob* table;  // null: `few`
  DeviceJob few[kFewJobs];
  std::uint32_t jobs;
  std::size_t apart;
  const void* coef;  // on the device; null: `host_coef`
  alignas(16) unsigned char host_coef[kMaxCoefBytes];
  void* solved;            // the coef as solve leaves it, or those of all jobs, kMaxCoefBytes apart
  std::uint32_t* refused;  // nothing is done where this is not 0
  CarriedNumbers carried;  // of each array; none where the rule has none
};
using SolveKernel = void (*)(Solving);

struct Preparing;  // optimizer_numbers.h
using PrepareKernel = void (*)(Preparing);

// A rule compiled for one dtype; null where it does not have the part.
struct CompiledRule {
  bool (*prepare)(const double* scalars, double n, void* coef);
  WalkKernel gather;
  SolveKernel solve;
  WalkKernel apply;
  WalkKernel apply_stochastic;
  // Where arrays are in formats or something follows.
  WalkKernel gather_stored;
  WalkKernel apply_stored;
  // Of updates, and of what follows them, for steps whose numbers are on the device.
  PrepareKernel prepare_there;
};

inline constexpr unsigned kWarp = 32;
static_assert(kWarp == kLanes, "a warp's threads are the lanes of a chunk");
inline constexpr unsigned kWalkThreads = 128;  // of a block

// Walks that sum give a warp a whole chunk, so that lanes add in their order; others a part of it.
inline constexpr std::size_t kUnit = 256;

// Chunks that one block folds: its first levels of the tree of fold.h.
inline constexpr std::size_t kFoldTile = 2048;
inline constexpr unsigned kFoldThreads = 1024;

}  // namespace mdbopt::cuda
