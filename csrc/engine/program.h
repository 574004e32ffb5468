// program – decisions and the walks between them as one list of steps, which runs on the host or on a
// device.
//
// A decision is a function on the program's control, one plain structure that lies where the program
// runs. It reads what the walks so far have summed, and fills in the slots of those to come: whether
// they are wanted, over which arrays, with which numbers. So nothing that a step needs comes from the
// host, and a device goes through a program without being waited for; walks that are not wanted do
// nothing there.
//
// The steps are made with the addresses of the control where it runs. The host only looks at them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../base/group_sum.h"
#include "backend.h"

namespace mdbopt {

// A Job (backend.h) in memory of its own, as a device sees it.
struct DeviceJob {
  void* streams[kMaxStreams];
  std::size_t size;
  std::size_t first_chunk;  // of all jobs' chunks, numbered through
  double lr;
  const void* step_sizes;
  void* copy;
  std::size_t array;
};

// What one walk is given, and its sums.
struct Slot {
  DeviceJob job;
  Coef coef;
  double sums[kMaxSums];
  double elements;     // of the whole arrays, where job.size are those of a shard
  std::uint32_t skip;  // not 0: the walk is not wanted
};

// Why a program runs.
enum class Cause : std::int64_t {
  kStart,  // for the first time
  kTold,   // the caller has evaluated a point
  kAgain,  // the last run left something to do, which takes no evaluation
};

// What a control begins with.
struct Told {
  Cause cause = Cause::kStart;
  double f = 0.0;
  void* g = nullptr;
};

struct Step {
  enum class Kind : std::uint8_t { kDecide, kGather, kApply, kSumGroups, kSpreadGroups };
  Kind kind;
  bool joins = false;    // a walk: goes in one pass with the one before, where both are wanted
  bool aligned = true;   // a walk: over arrays of our own, which start at a multiple of 16 bytes
  std::size_t what = 0;  // the decision, as a device numbers it, or the rule
  void (*decide)(void* control) = nullptr;
  Slot* slot = nullptr;          // of a walk
  std::size_t size = 0;          // likewise
  bool sharded = true;           // likewise: over the coordinates; numbers of groups are whole
  const double* from = nullptr;  // of groups, and where the result goes
  double* to = nullptr;
  const std::uint32_t* skip = nullptr;
};

struct Program {
  std::vector<Step> steps;
  Dtype dtype = Dtype::kFloat64;
  Partition partition;
  void* control = nullptr;  // begins with Told
};

}  // namespace mdbopt
