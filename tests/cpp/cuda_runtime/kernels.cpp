// kernels – the stand-in for CUDA runs blocks, warps and collectives as a device does.
#include <cmath>
#include <numeric>

#include "common.h"

namespace {

constexpr unsigned kAll = 0xffffffffu;

struct Big {
  double values[40];
  int* out;
};

__global__ void index_kernel(unsigned* out, unsigned n) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned k = block * blockDim.x * blockDim.y * blockDim.z + thread;
  if (k >= n) return;
  out[k] = k;
}

__global__ void big_kernel(const __grid_constant__ Big big) {
  *big.out = static_cast<int>(big.values[39]);
}

template <class T>
__global__ void __launch_bounds__(64) sum_kernel(const T* in, T* out) {
  T value = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (unsigned delta = warpSize / 2; delta > 0; delta /= 2) {
    value += __shfl_down_sync(kAll, value, delta);
  }
  __shared__ T sums[2];
  if (threadIdx.x % warpSize == 0) sums[threadIdx.x / warpSize] = value;
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = sums[0] + sums[1];
}

__global__ void shuffles_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int* row = out + lane * 3;
  row[0] = __shfl_sync(kAll, lane, 5);
  row[1] = __shfl_sync(kAll, lane, 3, 8);
  row[2] = __shfl_down_sync(kAll, lane, 3, 8);
}

// The even lanes exchange among themselves, then the odd ones, and half of them leave.
__global__ void masks_kernel(double* out) {
  const unsigned lane = threadIdx.x;
  const unsigned mask = lane % 2 == 0 ? 0x55555555u : 0xaaaaaaaau;
  double value = lane;
  if (lane % 2 == 0) {
    value = __shfl_down_sync(mask, value, 2);
  } else {
    value = __shfl_down_sync(mask, value, 1);
  }
  out[lane] = value;
  if (lane >= 16) return;
  out[lane] += __shfl_down_sync(0xffffu, 100.0, 1);
}

__global__ void late_kernel(float* out) {
  if (threadIdx.x >= 40) return;
  __shared__ float shared[64];
  for (int k = 0; k < 3; ++k) {
    shared[threadIdx.x] = static_cast<float>(threadIdx.x + blockIdx.x);
    __syncthreads();
    out[blockIdx.x * 40 + threadIdx.x] = shared[(threadIdx.x + 1) % 40];
    __syncthreads();
  }
}

__global__ void add_kernel(float* values) {
  const unsigned k = blockIdx.x * blockDim.x + threadIdx.x;
  __stcg(values + k, values[k] + 1.0f);
}

__global__ void third_kernel(double* out) { out[0] /= 2.0; }

__global__ void apart_kernel() {
  if (threadIdx.x == 3) {
    __shfl_sync(kAll, 1.0f, 1);
  } else {
    __shfl_down_sync(kAll, 1.0f, 1);
  }
}
__global__ void absent_kernel() {
  if (threadIdx.x % 2 == 0) __shfl_down_sync(kAll, 1.0f, 1);
  __syncthreads();
}
__global__ void stranger_kernel() { __shfl_sync(1, 1.0f, 0); }
__global__ void width_kernel() { __shfl_sync(kAll, 1, 0, 5); }

void positions() {
  const dim3 grid(3, 2, 2);
  const dim3 block(5, 3, 2);
  const unsigned n = 12 * 30;
  unsigned* out = device_array<unsigned>(n);
  CHECK_EQUAL(launch(index_kernel, grid, block, nullptr, out, n - 1), cudaSuccess);
  const std::vector<unsigned> got = fetched(out, n);
  for (unsigned k = 0; k + 1 < n; ++k) CHECK_EQUAL(got[k], k);
  CHECK_EQUAL(got[n - 1], ~0u);
  cudaFree(out);
  CHECK_EQUAL(launch(third_kernel, 0, 1, nullptr, nullptr), cudaErrorInvalidConfiguration);
  CHECK_EQUAL(launch(third_kernel, 1, 1025, nullptr, nullptr), cudaErrorInvalidConfiguration);
  CHECK_EQUAL(cudaGetLastError(), cudaErrorInvalidConfiguration);
  CHECK_EQUAL(cudaGetLastError(), cudaSuccess);
}

void arguments_are_copied() {
  int* out = device_array<int>(1);
  Big big{};
  big.out = out;
  big.values[39] = 7;
  void* arguments[] = {&big};
  CHECK_EQUAL(cudaLaunchKernel(big_kernel, 1, 1, arguments), cudaSuccess);
  big.values[39] = 8;
  CHECK_EQUAL(fetched(out, 1)[0], 7);
  cudaFree(out);
}

template <class T>
void sums() {
  const unsigned blocks = 3;
  std::vector<T> values(64 * blocks);
  std::iota(values.begin(), values.end(), T{1});
  T* in = device_array<T>(values.size());
  T* out = device_array<T>(blocks);
  cudaMemcpy(in, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice);
  CHECK_EQUAL(launch(sum_kernel<T>, blocks, 64, nullptr, in, out), cudaSuccess);
  const std::vector<T> got = fetched(out, blocks);
  for (unsigned k = 0; k < blocks; ++k) {
    CHECK_EQUAL(got[k],
                std::accumulate(values.begin() + 64 * k, values.begin() + 64 * k + 64, T{}));
  }
  cudaFree(in);
  cudaFree(out);
}

void shuffles() {
  int* out = device_array<int>(32 * 3);
  CHECK_EQUAL(launch(shuffles_kernel, 1, 32, nullptr, out), cudaSuccess);
  const std::vector<int> got = fetched(out, 32 * 3);
  for (int lane = 0; lane < 32; ++lane) {
    const int* row = got.data() + lane * 3;
    const int first = lane / 8 * 8;
    CHECK_EQUAL(row[0], 5);
    CHECK_EQUAL(row[1], first + 3);
    CHECK_EQUAL(row[2], lane % 8 + 3 < 8 ? lane + 3 : lane);
  }
  cudaFree(out);
}

void masks() {
  double* out = device_array<double>(32);
  CHECK_EQUAL(launch(masks_kernel, 1, 32, nullptr, out), cudaSuccess);
  const std::vector<double> got = fetched(out, 32);
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lane % 2 == 0) {
      CHECK_EQUAL(got[lane], (lane + 2 < 32 ? lane + 2 : lane) + (lane < 16 ? 100.0 : 0.0));
    } else {
      // The neighbour takes no part, so what it gives is undefined; the last lane reads itself.
      CHECK_EQUAL(std::isnan(got[lane]), lane < 31);
    }
  }
  cudaFree(out);
}

void barriers() {
  float* out = device_array<float>(80);
  CHECK_EQUAL(launch(late_kernel, 2, 64, nullptr, out), cudaSuccess);
  const std::vector<float> got = fetched(out, 80);
  for (unsigned k = 0; k < 80; ++k) {
    CHECK_EQUAL(got[k], static_cast<float>((k % 40 + 1) % 40 + k / 40));
  }
  cudaFree(out);
}

void many_blocks() {
  const std::size_t n = 10000 * 256;
  float* values = device_array<float>(n);
  cudaMemsetAsync(values, 0, n * sizeof(float));
  CHECK_EQUAL(launch(add_kernel, 10000, 256, nullptr, values), cudaSuccess);
  bool all = true;
  for (const float value : fetched(values, n)) all = all && value == 1.0f;
  CHECK(all);
  cudaFree(values);
}

// A host that flushes subnormals is not a device that does.
void subnormals() {
#ifdef __x86_64__
  double* out = device_array<double>(1);
  const double small = 0x1p-1022;
  cudaMemcpy(out, &small, sizeof small, cudaMemcpyHostToDevice);
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | 0x8040);
  CHECK_EQUAL(launch(third_kernel, 1, 1, nullptr, out), cudaSuccess);
  const std::vector<double> got = fetched(out, 1);
  CHECK_EQUAL(__builtin_ia32_stmxcsr() & 0x8040, 0x8040u);
  __builtin_ia32_ldmxcsr(before);
  CHECK_BITS(got[0], 0x1p-1023);
  cudaFree(out);
#endif
}

void wrong_collectives() {
  const auto words = [](void (*kernel)()) {
    return last_words([&] {
      launch(kernel, 2, 64, nullptr);
      cudaDeviceSynchronize();
    });
  };
  std::string text = words(apart_kernel);
  CHECK(holds(text, "__shfl_down_sync") && holds(text, "lane 3 waits in __shfl_sync"));
  text = words(absent_kernel);
  CHECK(holds(text, "lane 0 waits in __shfl_down_sync"));
  CHECK(holds(text, "lane 1 waits in __syncthreads"));
  CHECK(holds(words(stranger_kernel), "lane 1 waits in __shfl_sync, mask 0x00000001, 4 bytes"));
  CHECK(holds(words(width_kernel), "__shfl_sync has width 5"));
  CHECK(holds(last_words([] { __syncthreads(); }), "outside a kernel"));
}

}  // namespace

int main() {
  positions();
  arguments_are_copied();
  sums<double>();
  sums<float>();
  sums<int>();
  sums<unsigned long long>();
  shuffles();
  masks();
  barriers();
  many_blocks();
  subnormals();
  wrong_collectives();
  return check::result();
}
