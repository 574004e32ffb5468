// cuda_runtime – a stand-in for CUDA's header: the same source, compiled for the CPU, runs its
// kernels there, as strictly as CUDA allows.
//
// Nothing that is queued runs before something waits for it, device memory faults where the host
// touches it, and fresh memory is full of NaNs. What tests ask and steer is at the end. Settings,
// read at the first call:
//   EMULATED_CUDA_DEVICES  how many devices there are (2), or "no-driver"
//   EMULATED_CUDA_MEMORY   bytes of each device (4 GiB)
//   EMULATED_CUDA_ORDER    "reverse" runs blocks, warps and lanes from the last to the first
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#define MDBOPT_EMULATED_CUDA 1
#define CUDART_VERSION 13000

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __grid_constant__
// The blocks of a kernel run one after the other.
#define __shared__ static

// A build that hides its symbols still exports these, to Python's ctypes among others.
#pragma GCC visibility push(default)

// --- vectors -------------------------------------------------------------------------------------
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) ulonglong2 {
  unsigned long long x, y;
};

// --- types ---------------------------------------------------------------------------------------
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalState = 401,
  cudaErrorIllegalAddress = 700,
  cudaErrorNotSupported = 801,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureMerge = 902,
  cudaErrorStreamCaptureUnmatched = 903,
  cudaErrorStreamCaptureUnjoined = 904,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorStreamCaptureImplicit = 906,
  cudaErrorCapturedEvent = 907,
  cudaErrorStreamCaptureWrongThread = 908,
};

enum cudaMemcpyKind {
  cudaMemcpyHostToHost = 0,
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4,
};
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaMemLocationType {
  cudaMemLocationTypeDevice = 1,
};
enum cudaMemAllocationType {
  cudaMemAllocationTypePinned = 1,
};
enum cudaMemAllocationHandleType { cudaMemHandleTypeNone = 0 };
enum cudaStreamCaptureStatus {
  cudaStreamCaptureStatusNone = 0,
  cudaStreamCaptureStatusActive = 1,
  cudaStreamCaptureStatusInvalidated = 2,
};
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal = 0,
  cudaStreamCaptureModeThreadLocal = 1,
  cudaStreamCaptureModeRelaxed = 2,
};

struct cudaMemLocation {
  cudaMemLocationType type;
  int id;
};
struct cudaMemPoolProps {
  cudaMemAllocationType allocType;
  cudaMemAllocationHandleType handleTypes;
  cudaMemLocation location;
};
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major;
  int minor;
  int multiProcessorCount;
};

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;
using cudaGraphNode_t = struct CUgraphNode_st*;
using cudaMemPool_t = struct CUmemPoolHandle_st*;

#define cudaStreamLegacy (reinterpret_cast<cudaStream_t>(std::uintptr_t{1}))
#define cudaStreamPerThread (reinterpret_cast<cudaStream_t>(std::uintptr_t{2}))
#define cudaStreamDefault 0u
#define cudaStreamNonBlocking 1u
#define cudaEventDisableTiming 2u
#define cudaHostAllocPortable 1u

extern "C" {
// --- errors and devices --------------------------------------------------------------------------
const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceSynchronize();

// --- memory --------------------------------------------------------------------------------------
cudaError_t cudaMalloc(void** pointer, std::size_t bytes);
cudaError_t cudaFree(void* pointer);
cudaError_t cudaMallocFromPoolAsync(void** pointer, std::size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream);
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream);
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream = nullptr);

// --- streams and events --------------------------------------------------------------------------
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventDestroy(cudaEvent_t event);

// --- graphs --------------------------------------------------------------------------------------
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);

// --- what a kernel sees --------------------------------------------------------------------------
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
void __syncthreads();

// --- for tests -----------------------------------------------------------------------------------
// "kernels", "copies_to_host", "bytes_to_host", "copies_to_device", "bytes_to_device" count what
// has run, "synchronizations" the calls that made the host wait, "graph_launches" calls;
// "allocations", "allocated" (bytes) and "host_allocations" are what lives. Others are ~0.
std::uint64_t emulated_count(const char* what);
// Lets `after` pass, then one fail: the "allocation" (of a device or of pinned memory) with
// cudaErrorMemoryAllocation, or the "kernel" with cudaErrorIllegalAddress when it would run.
void emulated_fail_next(const char* what, int after);
// Ends the error that every call returns since an operation failed.
void emulated_recover();

// --- for the templates below ---------------------------------------------------------------------
struct emulated_kernel {
  void (*call)(void (*kernel)(), void* const* arguments);
  void (*kernel)();
  const std::size_t* sizes;
  std::size_t count;
};
enum emulated_shuffle_kind {
  emulated_shuffle_index,
  emulated_shuffle_down,
};
cudaError_t emulated_launch(const emulated_kernel* kernel, dim3 grid, dim3 block, void** arguments,
                            std::size_t shared, cudaStream_t stream);
void emulated_shuffle(emulated_shuffle_kind kind, unsigned mask, void* value, std::size_t bytes,
                      int lane, int width);
}

#pragma GCC visibility pop

constexpr int warpSize = 32;

namespace emulated {

template <class... Arguments, std::size_t... k>
void call(void (*kernel)(Arguments...), void* const* arguments, std::index_sequence<k...>) {
  kernel(*static_cast<const Arguments*>(arguments[k])...);
}

template <class... Arguments>
void call_erased(void (*kernel)(), void* const* arguments) {
  call(reinterpret_cast<void (*)(Arguments...)>(kernel), arguments,
       std::index_sequence_for<Arguments...>{});
}

template <class T>
T shuffle(emulated_shuffle_kind kind, unsigned mask, T value, int lane, int width) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "CUDA has no shuffle of this type");
  emulated_shuffle(kind, mask, &value, sizeof value, lane, width);
  return value;
}

}  // namespace emulated

template <class... Arguments>
cudaError_t cudaLaunchKernel(void (*kernel)(Arguments...), dim3 grid, dim3 block, void** arguments,
                             std::size_t shared = 0, cudaStream_t stream = nullptr) {
  static_assert((std::is_trivially_copyable_v<Arguments> && ...),
                "a kernel's arguments are copied as bytes");
  static_assert((sizeof(Arguments) + ... + 0) <= 32764, "a kernel's arguments are too large");
  static_assert(((alignof(Arguments) <= 64) && ...), "an argument is aligned too strictly");
  constexpr std::size_t sizes[] = {sizeof(Arguments)..., 0};
  const emulated_kernel erased{&emulated::call_erased<Arguments...>,
                               reinterpret_cast<void (*)()>(kernel), sizes, sizeof...(Arguments)};
  return emulated_launch(&erased, grid, block, arguments, shared, stream);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize) {
  return emulated::shuffle(emulated_shuffle_index, mask, value, lane, width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  return emulated::shuffle(emulated_shuffle_down, mask, value, static_cast<int>(delta), width);
}

// A warp that meets for a shuffle has met.
inline void __syncwarp(unsigned mask = ~0U) { __shfl_sync(mask, 0U, 0); }

template <class T>
void __stcg(T* place, std::type_identity_t<T> value) {
  *place = value;
}
