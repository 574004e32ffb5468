// scheduler – runs a kernel's threads as fibers, each until its next collective.
//
// A thread that meets no collective never leaves the fiber it began on, and the next one takes the
// same fiber: such a kernel costs two switches per thread and touches one stack.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "emulated.h"
#include "fiber.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace emulated {
namespace {

// --- one block -----------------------------------------------------------------------------------
enum class Collective { kNone, kSyncthreads, kIndex, kDown };

const char* name_of(Collective kind) {
  switch (kind) {
    case Collective::kNone:
      break;
    case Collective::kSyncthreads:
      return "__syncthreads";
    case Collective::kIndex:
      return "__shfl_sync";
    case Collective::kDown:
      return "__shfl_down_sync";
  }
  return "no collective";
}

struct Thread {
  enum { kReady, kWaiting, kExited } state;
  Fiber* fiber;  // null until it starts
  Collective kind;
  unsigned mask;
  std::size_t bytes;
  int lane, width;  // a shuffle's
  std::uint64_t value, result;
};

struct Block {
  const Launch* launch;
  std::vector<Thread> threads;
  std::vector<uint3> positions;
  std::vector<Fiber*> idle;
  std::size_t running;
  bool backwards;
};

Block& block() {
  static Block& instance = *new Block{};
  return instance;
}

void run_fiber() {
  Block& b = block();
  for (;;) {
    b.launch->call(b.launch->kernel, b.launch->arguments.data());
    b.threads[b.running].state = Thread::kExited;
    leave();
  }
}

void resume(Block& b, std::size_t index) {
  Thread& thread = b.threads[index];
  if (thread.fiber == nullptr) {
    if (b.idle.empty()) b.idle.push_back(new_fiber(&run_fiber));
    thread.fiber = b.idle.back();
    b.idle.pop_back();
  }
  b.running = index;
  threadIdx = b.positions[index];
  enter(*thread.fiber);
  if (thread.state == Thread::kExited) b.idle.push_back(thread.fiber);
}

Thread& wait_in(Collective kind, unsigned mask) {
  Block& b = block();
  if (b.running >= b.threads.size()) die("%s was called outside a kernel", name_of(kind));
  Thread& thread = b.threads[b.running];
  thread.state = Thread::kWaiting;
  thread.kind = kind;
  thread.mask = mask;
  thread.bytes = 0;
  thread.width = 0;
  return thread;
}

// --- collectives ---------------------------------------------------------------------------------
struct Warp {
  Thread* threads;
  unsigned lanes;
  std::size_t number;
};

std::string describe(const Thread& thread) {
  if (thread.state == Thread::kReady) return "has not arrived";
  std::string text = std::string("waits in ") + name_of(thread.kind);
  if (thread.kind == Collective::kSyncthreads) return text;
  char mask[32];
  std::snprintf(mask, sizeof mask, ", mask 0x%08x", thread.mask);
  return text + mask + ", " + std::to_string(thread.bytes) + " bytes, width " +
         std::to_string(thread.width);
}

[[noreturn]] void die_apart(const Warp& warp, unsigned lane, unsigned other) {
  die("block (%u, %u, %u), warp %zu: lane %u %s, lane %u %s", blockIdx.x, blockIdx.y, blockIdx.z,
      warp.number, lane, describe(warp.threads[lane]).c_str(), other,
      describe(warp.threads[other]).c_str());
}

bool together(const Thread& a, const Thread& b) {
  return b.state == Thread::kWaiting && a.kind == b.kind && a.mask == b.mask &&
         a.bytes == b.bytes && a.width == b.width;
}

bool named(unsigned mask, unsigned lane) { return (mask >> lane & 1) != 0; }

// The lane that a shuffle reads, CUDA's way: beyond its segment a lane reads itself.
int source_of(const Thread& thread, int lane) {
  const int first = lane & ~(thread.width - 1);
  const int end = first + thread.width;
  if (thread.kind == Collective::kIndex) return first | (thread.lane & (thread.width - 1));
  return thread.lane >= end - lane ? lane : lane + thread.lane;
}

bool takes_part(const Warp& warp, unsigned mask, unsigned lane) {
  return lane < warp.lanes && named(mask, lane) && warp.threads[lane].state == Thread::kWaiting;
}

void exchange(const Warp& warp, unsigned lane) {
  Thread& thread = warp.threads[lane];
  const unsigned source = static_cast<unsigned>(source_of(thread, static_cast<int>(lane)));
  // What a lane that takes no part would give is undefined: a NaN.
  const bool given = takes_part(warp, thread.mask, source);
  thread.result = given ? warp.threads[source].value : ~std::uint64_t{0};
}

// The lanes that the lane's collective brings together. All of them must be there.
unsigned group_of(const Warp& warp, unsigned lane) {
  const Thread& thread = warp.threads[lane];
  if (!named(thread.mask, lane)) {
    die("block (%u, %u, %u), warp %zu: lane %u %s, which does not name it", blockIdx.x, blockIdx.y,
        blockIdx.z, warp.number, lane, describe(thread).c_str());
  }
  unsigned group = 0;
  for (unsigned other = 0; other < warp.lanes; ++other) {
    const Thread& partner = warp.threads[other];
    if (!named(thread.mask, other) || partner.state == Thread::kExited) continue;
    if (!together(thread, partner)) die_apart(warp, lane, other);
    group |= 1u << other;
  }
  return group;
}

// Completes the collectives that the lanes, all of them stopped, wait in; true if any lane goes on.
bool complete(const Warp& warp) {
  unsigned freed = 0;
  for (unsigned lane = 0; lane < warp.lanes; ++lane) {
    const Thread& thread = warp.threads[lane];
    if (thread.state != Thread::kWaiting || thread.kind == Collective::kSyncthreads) continue;
    if (!named(freed, lane)) freed |= group_of(warp, lane);
    exchange(warp, lane);
  }
  for (unsigned lane = 0; lane < warp.lanes; ++lane) {
    if (named(freed, lane)) warp.threads[lane].state = Thread::kReady;
  }
  return freed != 0;
}

// Until every lane has exited or waits in __syncthreads.
void run_warp(Block& b, std::size_t number) {
  const std::size_t first = number * warpSize;
  const std::size_t lanes = std::min<std::size_t>(warpSize, b.threads.size() - first);
  const Warp warp{b.threads.data() + first, static_cast<unsigned>(lanes), number};
  do {
    for (std::size_t k = 0; k < lanes; ++k) {
      const std::size_t lane = b.backwards ? lanes - 1 - k : k;
      if (warp.threads[lane].state == Thread::kReady) resume(b, first + lane);
    }
  } while (complete(warp));
}

void run_block(Block& b) {
  for (Thread& thread : b.threads) {
    thread.state = Thread::kReady;
    thread.fiber = nullptr;
  }
  const std::size_t warps = (b.threads.size() + warpSize - 1) / warpSize;
  for (bool waiting = true; waiting;) {
    for (std::size_t k = 0; k < warps; ++k) run_warp(b, b.backwards ? warps - 1 - k : k);
    waiting = false;
    for (Thread& thread : b.threads) {
      if (thread.state == Thread::kExited) continue;
      thread.state = Thread::kReady;
      waiting = true;
    }
  }
}

}  // namespace

void run_blocks(const Launch& launch) {
  static const bool backwards = [] {
    const char* order = std::getenv("EMULATED_CUDA_ORDER");
    return order != nullptr && std::string(order) == "reverse";
  }();
  Block& b = block();
  b.backwards = backwards;
  b.launch = &launch;
  gridDim = launch.grid;
  blockDim = launch.block;
  b.positions.clear();
  for (unsigned z = 0; z < launch.block.z; ++z) {
    for (unsigned y = 0; y < launch.block.y; ++y) {
      for (unsigned x = 0; x < launch.block.x; ++x) b.positions.push_back({x, y, z});
    }
  }
  b.threads.assign(b.positions.size(), Thread{});
  const std::uint64_t plane = std::uint64_t{launch.grid.x} * launch.grid.y;
  const std::uint64_t blocks = plane * launch.grid.z;
  for (std::uint64_t k = 0; k < blocks; ++k) {
    const std::uint64_t number = backwards ? blocks - 1 - k : k;
    const std::uint64_t in_plane = number % plane;
    blockIdx = {static_cast<unsigned>(in_plane % launch.grid.x),
                static_cast<unsigned>(in_plane / launch.grid.x),
                static_cast<unsigned>(number / plane)};
    run_block(b);
  }
  b.threads.clear();
}

}  // namespace emulated

using emulated::Collective;
using emulated::Thread;

void __syncthreads() {
  emulated::wait_in(Collective::kSyncthreads, 0);
  emulated::leave();
}

void emulated_shuffle(emulated_shuffle_kind kind, unsigned mask, void* value, std::size_t bytes,
                      int lane, int width) {
  const Collective collective =
      kind == emulated_shuffle_index ? Collective::kIndex : Collective::kDown;
  if (width < 1 || width > warpSize || !std::has_single_bit(static_cast<unsigned>(width))) {
    emulated::die("%s has width %d", emulated::name_of(collective), width);
  }
  Thread& thread = emulated::wait_in(collective, mask);
  thread.bytes = bytes;
  thread.lane = lane;
  thread.width = width;
  thread.value = 0;
  std::memcpy(&thread.value, value, bytes);
  emulated::leave();
  std::memcpy(value, &thread.result, bytes);
}
