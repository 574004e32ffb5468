// library – what the core sees of CUDA.
#include <cstring>
#include <string>

#include "../csrc/device.h"
#include "device.h"
#include "groups.cuh"
#include "launch.h"
#include "memory.h"
#include "program.h"
#include "residence.h"

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

  void* allocate(const Place& place, std::size_t bytes) override {
    return cuda::allocate(place, bytes);
  }
  void free(const Place& place, void* memory) noexcept override { cuda::free(place, memory); }
  std::size_t allocated(int device) override { return cuda::allocated(device); }

  void copy(const Place& place, void* to, const void* from, std::size_t bytes) override {
    const OnDevice scope(place.device);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(place)), place.device,
          "copying");
  }
  void clear(const Place& place, void* memory, std::size_t bytes) override {
    const OnDevice scope(place.device);
    check(cudaMemsetAsync(memory, 0, bytes, stream_of(place)), place.device, "clearing memory");
  }
  void synchronize(const Place& place) override {
    const OnDevice scope(place.device);
    check(cudaStreamSynchronize(stream_of(place)), place.device, "in work queued before");
  }
  void order(const Place& before, const Place& after) override { cuda::order(before, after); }
  bool capturing(const Place& place) override { return is_capturing(place); }

  void launch(Dtype dtype, std::span<Call> calls, const Execution& execution) override {
    launch_calls(dtype, calls, execution);
  }
  std::unique_ptr<Residence> reside(const Place& place) override { return make_residence(place); }
  std::unique_ptr<DeviceProgram> load(const Program& program, const Place& place) override {
    return load_program(program, place);
  }
  void sum_groups(const Place& place, const Partition& partition, const double* values,
                  double* sums) override {
    const Scratch scratch(place, group_scratch(partition) * sizeof(double));
    queue_sum_groups(place, partition, values, sums, reinterpret_cast<double*>(scratch.memory()),
                     nullptr);
  }
  void spread_groups(const Place& place, const Partition& partition, const double* per_group,
                     double* values) override {
    queue_spread_groups(place, partition, per_group, values, nullptr);
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
