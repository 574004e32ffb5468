// memory – a pool per device, made when it is first needed, and what is in use of it.
#include "memory.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

#include "device.h"

namespace mdbopt::cuda {
namespace {

constexpr std::uint64_t kKept = std::uint64_t{64} << 20;  // bytes that a pool does not return
constexpr std::size_t kPiece = std::size_t{48} << 10;     // CUDA queues copies of up to 64 KiB

struct Pool {
  cudaMemPool_t handle = nullptr;
  std::size_t in_use = 0;
};

struct Pools {
  std::mutex mutex;
  std::map<int, Pool> by_device;
  std::unordered_map<void*, std::size_t> sizes;
};

// Never destroyed: arrays may outlive everything at the end of a process.
Pools& pools() {
  static Pools& all = *new Pools;
  return all;
}

Pool make_pool(int device) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.handleTypes = cudaMemHandleTypeNone;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  Pool pool;
  check(cudaMemPoolCreate(&pool.handle, &properties), device, "making a memory pool");
  std::uint64_t kept = kKept;
  check(cudaMemPoolSetAttribute(pool.handle, cudaMemPoolAttrReleaseThreshold, &kept), device,
        "setting up a memory pool");
  return pool;
}

}  // namespace

void* allocate(const Location& location, std::size_t bytes) {
  if (is_capturing(location)) {
    throw DeviceError("cuda:" + std::to_string(location.device) +
                      ": a graph is being recorded and this call needs memory of its own; make one "
                      "such call outside of the graph first");
  }
  const OnDevice scope(location.device);
  Pools& all = pools();
  const std::lock_guard lock(all.mutex);
  auto found = all.by_device.find(location.device);
  if (found == all.by_device.end()) {
    found = all.by_device.emplace(location.device, make_pool(location.device)).first;
  }
  void* memory = nullptr;
  const std::size_t taken = std::max<std::size_t>(bytes, 1);
  const std::string doing = "allocating " + std::to_string(bytes) + " bytes";
  check(cudaMallocFromPoolAsync(&memory, taken, found->second.handle, stream_of(location)),
        location.device, doing.c_str());
  all.sizes[memory] = taken;
  found->second.in_use += taken;
  return memory;
}

void free(const Location& location, void* memory) noexcept {
  if (memory == nullptr) return;
  Pools& all = pools();
  const std::lock_guard lock(all.mutex);
  const auto found = all.sizes.find(memory);
  if (found == all.sizes.end()) return;
  all.by_device[location.device].in_use -= found->second;
  all.sizes.erase(found);
  // What goes wrong here did so in earlier work, which the next call reports. The default streams are
  // those of the current device.
  int before = location.device;
  cudaGetDevice(&before);
  if (before != location.device) cudaSetDevice(location.device);
  if (cudaFreeAsync(memory, stream_of(location)) != cudaSuccess) cudaGetLastError();
  if (before != location.device) cudaSetDevice(before);
}

std::size_t allocated(int device) {
  Pools& all = pools();
  const std::lock_guard lock(all.mutex);
  const auto found = all.by_device.find(device);
  return found == all.by_device.end() ? 0 : found->second.in_use;
}

void upload(const Location& location, void* to, const void* from, std::size_t bytes) {
  const OnDevice scope(location.device);
  for (std::size_t done = 0; done < bytes; done += kPiece) {
    const std::size_t size = std::min(kPiece, bytes - done);
    check(cudaMemcpyAsync(static_cast<char*>(to) + done, static_cast<const char*>(from) + done,
                          size, cudaMemcpyHostToDevice, stream_of(location)),
          location.device, "copying to the device");
  }
}

}  // namespace mdbopt::cuda
