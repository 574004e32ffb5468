// runtime – devices, errors, launches, and what tests ask and steer.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "emulated.h"

namespace emulated {
namespace {

constexpr int kMaxDevices = 64;
constexpr int kMultiprocessors = 2;
constexpr int kMajor = 9;
constexpr int kMinor = 0;
constexpr int kThreadsPerBlock = 1024;
constexpr std::size_t kArgumentAlignment = 64;

struct Settings {
  int devices = 2;
  cudaError_t without = cudaErrorNoDevice;
  std::size_t bytes = std::size_t{4} << 30;
};

struct Failures {
  int allocation = -1, kernel = -1;  // how many pass before it; negative: none
};

// The last error of a thread, and its device.
thread_local cudaError_t last_error = cudaSuccess;
thread_local int device = 0;

cudaError_t standing = cudaSuccess;
Failures failures;

const Settings& settings() {
  static const Settings instance = [] {
    Settings made;
    if (const char* text = std::getenv("EMULATED_CUDA_DEVICES")) {
      if (std::string_view(text) == "no-driver") made.without = cudaErrorInsufficientDriver;
      made.devices = std::clamp(std::atoi(text), 0, kMaxDevices);
    }
    if (const char* text = std::getenv("EMULATED_CUDA_MEMORY")) {
      made.bytes = std::strtoull(text, nullptr, 10);
    }
    return made;
  }();
  return instance;
}

bool falls_due(int& left) { return left >= 0 && left-- == 0; }

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};

#define EMULATED_ERROR(name, text) {name, #name, text}
constexpr ErrorText kErrors[] = {
    EMULATED_ERROR(cudaSuccess, "no error"),
    EMULATED_ERROR(cudaErrorInvalidValue, "invalid argument"),
    EMULATED_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    EMULATED_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    EMULATED_ERROR(cudaErrorInsufficientDriver,
                   "CUDA driver version is insufficient for CUDA runtime version"),
    EMULATED_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    EMULATED_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    EMULATED_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    EMULATED_ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    EMULATED_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    EMULATED_ERROR(cudaErrorNotSupported, "operation not supported"),
    EMULATED_ERROR(cudaErrorStreamCaptureUnsupported,
                   "operation not permitted when stream is capturing"),
    EMULATED_ERROR(cudaErrorStreamCaptureInvalidated,
                   "operation failed due to a previous error during capture"),
    EMULATED_ERROR(cudaErrorStreamCaptureMerge,
                   "operation would result in a merge of separate capture sequences"),
    EMULATED_ERROR(cudaErrorStreamCaptureUnmatched,
                   "capture was not ended in the same stream as it began"),
    EMULATED_ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    EMULATED_ERROR(cudaErrorStreamCaptureIsolation,
                   "dependency created on uncaptured work in another stream"),
    EMULATED_ERROR(cudaErrorStreamCaptureImplicit,
                   "operation would make the legacy stream depend on a capturing blocking stream"),
    EMULATED_ERROR(cudaErrorCapturedEvent,
                   "operation not permitted on an event last recorded in a capturing stream"),
    EMULATED_ERROR(cudaErrorStreamCaptureWrongThread,
                   "attempt to terminate a thread-local capture sequence from another thread"),
};
#undef EMULATED_ERROR

const ErrorText* find_error(cudaError_t error) {
  const auto* found = std::find_if(std::begin(kErrors), std::end(kErrors),
                                   [&](const ErrorText& entry) { return entry.error == error; });
  return found == std::end(kErrors) ? nullptr : found;
}

bool launchable(dim3 grid, dim3 block) {
  constexpr unsigned kGridX = 0x7fffffff;
  constexpr unsigned kGridYZ = 65535;
  constexpr unsigned kBlockZ = 64;
  const auto within = [](unsigned n, unsigned most) { return n >= 1 && n <= most; };
  return within(grid.x, kGridX) && within(grid.y, kGridYZ) && within(grid.z, kGridYZ) &&
         within(block.x, kThreadsPerBlock) && within(block.y, kThreadsPerBlock) &&
         within(block.z, kBlockZ) && std::uint64_t{block.x} * block.y * block.z <= kThreadsPerBlock;
}

std::size_t aligned(std::size_t bytes) {
  return (bytes + kArgumentAlignment - 1) / kArgumentAlignment * kArgumentAlignment;
}

Launch make_launch(const emulated_kernel& kernel, dim3 grid, dim3 block, void** arguments) {
  std::size_t bytes = kArgumentAlignment;
  for (std::size_t k = 0; k < kernel.count; ++k) bytes += aligned(kernel.sizes[k]);
  void* storage = std::aligned_alloc(kArgumentAlignment, bytes);
  if (storage == nullptr) die("there is no memory for a kernel's arguments");
  std::byte* next = static_cast<std::byte*>(storage);
  Launch launch{kernel.call, kernel.kernel, {}, {next, &std::free}, grid, block};
  for (std::size_t k = 0; k < kernel.count; ++k) {
    std::memcpy(next, arguments[k], kernel.sizes[k]);
    launch.arguments.push_back(next);
    next += aligned(kernel.sizes[k]);
  }
  return launch;
}

bool known_device(int number) { return number >= 0 && number < device_count(); }

}  // namespace

std::mutex& mutex() {
  static std::mutex& instance = *new std::mutex;
  return instance;
}

Counters& counters() {
  static Counters instance{};
  return instance;
}

int device_count() { return settings().devices; }
int current_device() { return device; }
std::size_t device_bytes() { return settings().bytes; }

cudaError_t standing_error() { return device_count() == 0 ? settings().without : standing; }
void stand(cudaError_t error) { standing = error; }

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

bool allocation_fails() { return falls_due(failures.allocation); }
bool kernel_fails() { return falls_due(failures.kernel); }

void die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fputs("emulated CUDA: ", stderr);
  std::vfprintf(stderr, format, arguments);
  std::fputc('\n', stderr);
  va_end(arguments);
  std::abort();
}

}  // namespace emulated

using emulated::locked;

// --- errors --------------------------------------------------------------------------------------
const char* cudaGetErrorString(cudaError_t error) {
  const emulated::ErrorText* found = emulated::find_error(error);
  return found == nullptr ? "unrecognized error code" : found->text;
}

const char* cudaGetErrorName(cudaError_t error) {
  const emulated::ErrorText* found = emulated::find_error(error);
  return found == nullptr ? "unrecognized error code" : found->name;
}

cudaError_t cudaGetLastError() {
  const std::lock_guard lock(emulated::mutex());
  const cudaError_t last = std::exchange(emulated::last_error, cudaSuccess);
  return emulated::standing != cudaSuccess ? emulated::standing : last;
}

// --- devices -------------------------------------------------------------------------------------
cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return emulated::remember(cudaErrorInvalidValue);
  *count = emulated::device_count();
  return locked([] { return cudaSuccess; });
}

cudaError_t cudaGetDevice(int* device) {
  return locked([&] {
    if (device == nullptr) return cudaErrorInvalidValue;
    *device = emulated::current_device();
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return locked([&] {
    if (!emulated::known_device(device)) return cudaErrorInvalidDevice;
    emulated::device = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return locked([&] {
    if (properties == nullptr) return cudaErrorInvalidValue;
    if (!emulated::known_device(device)) return cudaErrorInvalidDevice;
    *properties = {.name = "emulated",
                   .totalGlobalMem = emulated::device_bytes(),
                   .major = emulated::kMajor,
                   .minor = emulated::kMinor,
                   .multiProcessorCount = emulated::kMultiprocessors};
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return locked([&] {
    if (value == nullptr) return cudaErrorInvalidValue;
    if (!emulated::known_device(device)) return cudaErrorInvalidDevice;
    if (attribute != cudaDevAttrMultiProcessorCount) return cudaErrorInvalidValue;
    *value = emulated::kMultiprocessors;
    return cudaSuccess;
  });
}

// --- launches ------------------------------------------------------------------------------------
cudaError_t emulated_launch(const emulated_kernel* kernel, dim3 grid, dim3 block, void** arguments,
                            std::size_t shared, cudaStream_t handle) {
  return locked([&] {
    const emulated::StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    const int device = emulated::device_of(*stream);
    if (device != emulated::current_device()) return cudaErrorInvalidResourceHandle;
    if (!emulated::launchable(grid, block)) return cudaErrorInvalidConfiguration;
    if (shared != 0) return cudaErrorNotSupported;
    return emulated::submit(
        stream, [device, launch = emulated::make_launch(*kernel, grid, block, arguments)] {
          if (emulated::kernel_fails()) return cudaErrorIllegalAddress;
          ++emulated::counters().kernels;
          emulated::open_memory(device);
          emulated::run_blocks(launch);
          return emulated::guards_are_whole(device) ? cudaSuccess : cudaErrorIllegalAddress;
        });
  });
}

// --- for tests -----------------------------------------------------------------------------------
std::uint64_t emulated_count(const char* what) {
  const std::lock_guard lock(emulated::mutex());
  const std::string_view name = what;
  const emulated::Counters& c = emulated::counters();
  if (name == "kernels") return c.kernels;
  if (name == "copies_to_host") return c.copies_to_host;
  if (name == "bytes_to_host") return c.bytes_to_host;
  if (name == "copies_to_device") return c.copies_to_device;
  if (name == "bytes_to_device") return c.bytes_to_device;
  if (name == "synchronizations") return c.synchronizations;
  if (name == "graph_launches") return c.graph_launches;
  if (name == "allocations") return emulated::live_allocations();
  if (name == "allocated") return emulated::live_bytes();
  if (name == "host_allocations") return emulated::live_host_allocations();
  return ~std::uint64_t{0};
}

void emulated_fail_next(const char* what, int after) {
  const std::lock_guard lock(emulated::mutex());
  const std::string_view name = what;
  if (name == "allocation") {
    emulated::failures.allocation = after;
  } else if (name == "kernel") {
    emulated::failures.kernel = after;
  } else {
    emulated::die("there is no failure of '%s'", what);
  }
}

void emulated_recover() {
  const std::lock_guard lock(emulated::mutex());
  emulated::standing = cudaSuccess;
  emulated::last_error = cudaSuccess;
  emulated::failures = {};
}
