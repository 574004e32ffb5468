// library – what the core sees of CUDA.
#include <cstring>
#include <string>

#include "../csrc/runtime/device.h"
#include "device.h"
#include "device_optimizer.h"
#include "groups.cuh"
#include "launch.h"
#include "memory.h"
#include "program.h"

namespace mdbopt::cuda {
namespace {

class Library final : public DeviceLibrary {
 public:
  int count(std::string& why) override {
    int devices = 0;
    const cudaError_t error = cudaGetDeviceCount(&devices);
    if (error != cudaSuccess) {
      cudaGetLastError();
      why = std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
      return 0;
    }
    if (devices == 0) why = "no device";
    return devices;
  }

  DeviceFacts facts(int device) override {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), device, "describing the device");
    return {properties.name, properties.major, properties.minor, properties.multiProcessorCount,
            properties.totalGlobalMem};
  }

  void* allocate(const Location& location, std::size_t bytes) override {
    return cuda::allocate(location, bytes);
  }
  void free(const Location& location, void* memory) noexcept override {
    cuda::free(location, memory);
  }
  std::size_t allocated(int device) override { return cuda::allocated(device); }

  void copy(const Location& location, void* to, const void* from, std::size_t bytes) override {
    const OnDevice scope(location.device);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(location)), location.device,
          "copying");
  }
  void clear(const Location& location, void* memory, std::size_t bytes) override {
    const OnDevice scope(location.device);
    check(cudaMemsetAsync(memory, 0, bytes, stream_of(location)), location.device,
          "clearing memory");
  }
  void synchronize(const Location& location) override {
    const OnDevice scope(location.device);
    check(cudaStreamSynchronize(stream_of(location)), location.device, "in work queued before");
  }
  void order(const Location& before, const Location& after) override { cuda::order(before, after); }
  bool capturing(const Location& location) override { return is_capturing(location); }

  void launch(Dtype dtype, std::span<Call> calls, const Execution& execution) override {
    launch_calls(dtype, calls, execution);
  }
  std::unique_ptr<DeviceOptimizer> optimizer(const Location& location) override {
    return make_device_optimizer(location);
  }
  std::unique_ptr<DeviceProgram> load(const Program& program, const Location& location) override {
    return load_program(program, location);
  }
  void sum_groups(const Location& location, const Partition& partition, const double* values,
                  double* sums) override {
    const Scratch scratch(location, group_scratch(partition) * sizeof(double));
    queue_sum_groups(location, partition, values, sums, reinterpret_cast<double*>(scratch.memory()),
                     nullptr);
  }
  void spread_groups(const Location& location, const Partition& partition, const double* per_group,
                     double* values) override {
    queue_spread_groups(location, partition, per_group, values, nullptr);
  }
};

}  // namespace
}  // namespace mdbopt::cuda

extern "C" __attribute__((visibility("default"))) mdbopt::DeviceLibrary* mdbopt_device_library(
    const char* version) {
  if (std::strcmp(version, MDBOPT_VERSION) != 0) return nullptr;
  static mdbopt::cuda::Library& library = *new mdbopt::cuda::Library;
  return &library;
}
