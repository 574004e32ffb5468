// memory – the stand-in for CUDA keeps the host out of device memory and sees what is written where
// it should not be.
#include <cmath>
#include <cstdint>

#include "common.h"

namespace {

constexpr std::size_t kMegabyte = 1 << 20;

__global__ void write_kernel(float* out, long k, float value) { out[k] = value; }
[[maybe_unused]] __global__ void read_kernel(const float* in, float* out, long k) { *out = in[k]; }

void host_faults() {
  float* values = device_array<float>(4);
  CHECK(!last_words([&] { static_cast<void>(*static_cast<volatile float*>(values)); }).empty());
  CHECK(!last_words([&] { *static_cast<volatile float*>(values) = 1; }).empty());
  launch(write_kernel, 1, 1, nullptr, values, 0, 1.0f);
  cudaDeviceSynchronize();
  CHECK(!last_words([&] { static_cast<void>(*static_cast<volatile float*>(values)); }).empty());
  // Memory of one device is none of the other's.
  CHECK(!last_words([&] {
           cudaSetDevice(1);
           launch(write_kernel, 1, 1, nullptr, values, 0, 1.0f);
           cudaDeviceSynchronize();
         }).empty());
  cudaFree(values);
}

void fresh_memory() {
  float* values = device_array<float>(100);
  CHECK_EQUAL(reinterpret_cast<std::uintptr_t>(values) % 256, 0u);
  for (const float value : fetched(values, 100)) CHECK(std::isnan(value));
  cudaMemsetAsync(values, 0, 400);
  CHECK_EQUAL(cudaFree(values), cudaSuccess);
  CHECK_EQUAL(cudaFree(values), cudaErrorInvalidValue);
  float* again = device_array<float>(100);
  CHECK(std::isnan(fetched(again, 100)[99]));
  cudaFree(again);
  float* pinned = pinned_array<float>(3);
  CHECK(std::isnan(pinned[2]));
  CHECK_EQUAL(cudaFreeHost(pinned), cudaSuccess);
  CHECK_EQUAL(cudaFreeHost(pinned), cudaErrorInvalidValue);
  cudaGetLastError();
}

// With AddressSanitizer the kernel ends the process.
void guards() {
  float* values = device_array<float>(5);
  const auto overrun = [&] {
    launch(write_kernel, 1, 1, nullptr, values, 5, 1.0f);
    return cudaDeviceSynchronize();
  };
#ifdef __SANITIZE_ADDRESS__
  CHECK(holds(last_words(overrun), "AddressSanitizer"));
  float* out = device_array<float>(1);
  CHECK(holds(last_words([&] {
                launch(read_kernel, 1, 1, nullptr, values, out, 5);
                cudaDeviceSynchronize();
              }),
              "AddressSanitizer"));
  cudaFree(out);
#else
  CHECK(holds(last_words([&] { _exit(overrun() == cudaErrorIllegalAddress ? 1 : 0); }),
              "wrote to byte 20 of the allocation of 20 bytes"));
  CHECK_EQUAL(overrun(), cudaErrorIllegalAddress);
  CHECK_EQUAL(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  emulated_recover();
#endif
  launch(write_kernel, 1, 1, nullptr, values, 4, 1.0f);
  CHECK_EQUAL(cudaDeviceSynchronize(), cudaSuccess);
  cudaFree(values);
}

void copies() {
  int device = -1;
  float* values = device_array<float>(4);
  float* pinned = pinned_array<float>(4);
  float local[4] = {1, 2, 3, 4};
  const auto counts = [] {
    std::vector<std::uint64_t> all;
    for (const char* what : {"copies_to_device", "bytes_to_device", "copies_to_host",
                             "bytes_to_host", "synchronizations"}) {
      all.push_back(emulated_count(what));
    }
    return all;
  };
  const std::vector<std::uint64_t> before = counts();
  CHECK_EQUAL(cudaMemcpy(values, local, 16, cudaMemcpyDefault), cudaSuccess);
  CHECK_EQUAL(cudaMemcpy(pinned, values, 16, cudaMemcpyDefault), cudaSuccess);
  CHECK_EQUAL(pinned[3], 4.0f);
  const std::vector<std::uint64_t> after = counts();
  const std::uint64_t expected[] = {1, 16, 1, 16, 2};
  for (std::size_t k = 0; k < after.size(); ++k) CHECK_EQUAL(after[k] - before[k], expected[k]);
  CHECK_EQUAL(emulated_count("nothing"), ~std::uint64_t{0});

  CHECK_EQUAL(cudaMemcpy(local, values, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CHECK_EQUAL(cudaMemcpy(values, local, 20, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CHECK_EQUAL(cudaMemcpy(values + 4, local, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CHECK_EQUAL(cudaMemsetAsync(values, 0, 17), cudaErrorInvalidValue);

  CHECK_EQUAL(cudaSetDevice(1), cudaSuccess);
  float* other = device_array<float>(4);
  CHECK_EQUAL(cudaMemcpy(other, values, 16, cudaMemcpyDeviceToDevice), cudaSuccess);
  CHECK_EQUAL(fetched(other, 4)[2], 3.0f);
  CHECK_EQUAL(cudaGetDevice(&device), cudaSuccess);
  CHECK_EQUAL(device, 1);
  cudaSetDevice(0);
  CHECK_EQUAL(cudaSetDevice(2), cudaErrorInvalidDevice);
  cudaFree(other);
  cudaFree(values);
  cudaFreeHost(pinned);
  cudaGetLastError();
}

void out_of_memory() {
  void* first = nullptr;
  void* second = nullptr;
  CHECK_EQUAL(cudaMalloc(&first, 40 * kMegabyte), cudaSuccess);
  CHECK_EQUAL(cudaMalloc(&second, 40 * kMegabyte), cudaErrorMemoryAllocation);
  CHECK(second == nullptr);
  CHECK_EQUAL(cudaGetLastError(), cudaErrorMemoryAllocation);
  CHECK_EQUAL(emulated_count("allocated"), 40 * kMegabyte);
  CHECK_EQUAL(cudaFree(first), cudaSuccess);
  // What a stream still has to free counts until then, but does not stand in the way.
  cudaMemPool_t pool = new_pool();
  CHECK_EQUAL(cudaMallocFromPoolAsync(&first, 40 * kMegabyte, pool, nullptr), cudaSuccess);
  CHECK_EQUAL(cudaFreeAsync(first, nullptr), cudaSuccess);
  CHECK_EQUAL(cudaFreeAsync(first, nullptr), cudaErrorInvalidValue);
  CHECK_EQUAL(cudaMallocFromPoolAsync(&second, 40 * kMegabyte, pool, nullptr), cudaSuccess);
  CHECK_EQUAL(cudaFree(second), cudaSuccess);
  CHECK_EQUAL(emulated_count("allocations"), 0u);

  // Neighbours that are free make one gap, whichever came first.
  for (const bool backwards : {false, true}) {
    void* third = nullptr;
    CHECK_EQUAL(cudaMalloc(&first, 20 * kMegabyte), cudaSuccess);
    CHECK_EQUAL(cudaMalloc(&second, 20 * kMegabyte), cudaSuccess);
    CHECK_EQUAL(cudaMalloc(&third, 20 * kMegabyte), cudaSuccess);
    cudaFree(backwards ? second : first);
    cudaFree(backwards ? first : second);
    CHECK_EQUAL(cudaMalloc(&first, 40 * kMegabyte), cudaSuccess);
    cudaFree(first);
    cudaFree(third);
  }

  emulated_fail_next("allocation", 1);
  CHECK_EQUAL(cudaMalloc(&first, 8), cudaSuccess);
  CHECK_EQUAL(cudaMalloc(&second, 8), cudaErrorMemoryAllocation);
  CHECK_EQUAL(cudaMalloc(&second, 8), cudaSuccess);
  CHECK_EQUAL(emulated_count("allocations"), 2u);
  cudaFree(first);
  cudaFree(second);
  cudaGetLastError();
}

void pools() {
  cudaMemPool_t pool = new_pool();
  std::uint64_t value = 123;
  CHECK_EQUAL(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &value), cudaSuccess);
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  void* values = nullptr;
  CHECK_EQUAL(cudaMallocFromPoolAsync(&values, 800, pool, stream), cudaSuccess);
  double* pinned = pinned_array<double>(1);
  cudaMemcpyAsync(pinned, values, 8, cudaMemcpyDeviceToHost, stream);
  CHECK_EQUAL(cudaFreeAsync(values, stream), cudaSuccess);
  CHECK_EQUAL(cudaMemcpyAsync(pinned, values, 8, cudaMemcpyDeviceToHost, stream),
              cudaErrorInvalidValue);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  CHECK(std::isnan(*pinned));

  // A copy that another stream's free overtakes.
  cudaStream_t other = new_stream(cudaStreamNonBlocking);
  cudaMallocFromPoolAsync(&values, 800, pool, stream);
  cudaStreamSynchronize(stream);
  cudaMemcpyAsync(pinned, values, 8, cudaMemcpyDeviceToHost, stream);
  cudaFreeAsync(values, other);
  CHECK_EQUAL(cudaStreamSynchronize(other), cudaSuccess);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  emulated_recover();
  cudaFreeHost(pinned);
  cudaStreamDestroy(stream);
  cudaStreamDestroy(other);
}

void no_devices() {
  const auto count_error = [](const char* devices) {
    const std::string words = last_words([&] {
      setenv("EMULATED_CUDA_DEVICES", devices, 1);
      execl("/proc/self/exe", "memory", "count", static_cast<char*>(nullptr));
    });
    return words;
  };
  CHECK(holds(count_error("0"), "cudaErrorNoDevice 0"));
  CHECK(holds(count_error("no-driver"), "cudaErrorInsufficientDriver 0"));
  CHECK(holds(count_error("3"), "cudaSuccess 3"));
}

int tell_count() {
  int count = -1;
  const cudaError_t error = cudaGetDeviceCount(&count);
  std::cerr << cudaGetErrorName(error) << ' ' << count << '\n';
  return 1;
}

void properties() {
  int value = 0;
  cudaDeviceProp described{};
  CHECK_EQUAL(cudaGetDeviceCount(&value), cudaSuccess);
  CHECK_EQUAL(value, 2);
  CHECK_EQUAL(cudaGetDeviceProperties(&described, 1), cudaSuccess);
  CHECK_EQUAL(std::string(described.name), "emulated");
  CHECK_EQUAL(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);
  CHECK_EQUAL(value, described.multiProcessorCount);
  CHECK_EQUAL(cudaGetDeviceProperties(&described, 2), cudaErrorInvalidDevice);
  CHECK_EQUAL(std::string(cudaGetErrorString(cudaGetLastError())), "invalid device ordinal");
}

}  // namespace

int main(int count, char**) {
  if (count > 1) return tell_count();
  setenv("EMULATED_CUDA_MEMORY", "67108864", 1);
  properties();
  host_faults();
  fresh_memory();
  guards();
  copies();
  out_of_memory();
  pools();
  no_devices();
  CHECK_EQUAL(emulated_count("allocations"), 0u);
  CHECK_EQUAL(emulated_count("host_allocations"), 0u);
  return check::result();
}
