// streams – the stand-in for CUDA runs what is queued only when something waits for it, and in the
// order that streams, events and graphs ask for.
#include <cmath>
#include <thread>

#include "common.h"

namespace {

constexpr std::size_t kMegabyte = 1 << 20;

__global__ void set_kernel(int* out, int value) { *out = value; }
__global__ void add_kernel(int* out, const int* in) { *out += *in; }
__global__ void scale_kernel(int* out, int factor) { *out *= factor; }

int value_of(const int* place) { return fetched(place, 1)[0]; }

void deferral() {
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  int* value = device_array<int>(1);
  int* pinned = pinned_array<int>(2);
  const std::uint64_t kernels = emulated_count("kernels");
  launch(set_kernel, 1, 1, stream, value, 5);
  pinned[0] = 1;
  cudaMemcpyAsync(pinned, value, 4, cudaMemcpyDeviceToHost, stream);
  CHECK_EQUAL(emulated_count("kernels"), kernels);
  CHECK_EQUAL(pinned[0], 1);
  CHECK_EQUAL(value_of(value), -1);  // the legacy stream does not wait for this one
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  CHECK_EQUAL(emulated_count("kernels"), kernels + 1);
  CHECK_EQUAL(pinned[0], 5);

  // Pinned memory is read when the copy runs, pageable memory at the call.
  int local = 6;
  pinned[1] = 6;
  cudaMemcpyAsync(value, pinned + 1, 4, cudaMemcpyHostToDevice, stream);
  pinned[1] = 7;
  cudaStreamSynchronize(stream);
  CHECK_EQUAL(value_of(value), 7);
  cudaMemcpyAsync(value, &local, 4, cudaMemcpyHostToDevice, stream);
  local = 7;
  cudaMemcpyAsync(&local, value, 4, cudaMemcpyDeviceToHost, stream);
  CHECK_EQUAL(local, 6);

  // A destroyed stream does its work, and its handle names nothing.
  launch(set_kernel, 1, 1, stream, value, 10);
  CHECK_EQUAL(cudaStreamDestroy(stream), cudaSuccess);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  CHECK_EQUAL(value_of(value), 6);
  CHECK_EQUAL(cudaDeviceSynchronize(), cudaSuccess);
  CHECK_EQUAL(value_of(value), 10);
  cudaGetLastError();
  cudaFree(value);
  cudaFreeHost(pinned);
}

void legacy() {
  cudaStream_t blocking = new_stream(cudaStreamDefault);
  cudaStream_t apart = new_stream(cudaStreamNonBlocking);
  int* value = device_array<int>(1);
  launch(set_kernel, 1, 1, blocking, value, 3);
  CHECK_EQUAL(value_of(value), 3);
  launch(set_kernel, 1, 1, cudaStreamLegacy, value, 4);
  launch(scale_kernel, 1, 1, blocking, value, 2);
  cudaStreamSynchronize(blocking);
  CHECK_EQUAL(value_of(value), 8);
  launch(set_kernel, 1, 1, nullptr, value, 5);
  launch(scale_kernel, 1, 1, apart, value, 2);
  cudaStreamSynchronize(apart);
  CHECK_EQUAL(value_of(value), 5);
  // A memset does not wait.
  cudaMemsetAsync(value, 0, 4);
  launch(set_kernel, 1, 1, apart, value, 6);
  cudaStreamSynchronize(apart);
  CHECK_EQUAL(value_of(value), 0);
  // Each thread has a stream of its own, which blocks.
  launch(set_kernel, 1, 1, cudaStreamPerThread, value, 7);
  launch(scale_kernel, 1, 1, cudaStreamPerThread, value, 2);
  std::thread([] { CHECK_EQUAL(cudaStreamSynchronize(cudaStreamPerThread), cudaSuccess); }).join();
  int* pinned = pinned_array<int>(1);
  cudaMemcpyAsync(pinned, value, 4, cudaMemcpyDeviceToHost, apart);
  cudaStreamSynchronize(apart);
  CHECK_EQUAL(*pinned, 0);
  CHECK_EQUAL(value_of(value), 14);
  cudaFreeHost(pinned);
  cudaStreamDestroy(blocking);
  cudaStreamDestroy(apart);
  cudaFree(value);
}

void events() {
  cudaStream_t first = new_stream(cudaStreamNonBlocking);
  cudaStream_t second = new_stream(cudaStreamNonBlocking);
  cudaEvent_t event = new_event();
  int* value = device_array<int>(2);
  cudaMemsetAsync(value, 0, 8);
  cudaDeviceSynchronize();
  CHECK_EQUAL(cudaStreamWaitEvent(second, event), cudaSuccess);

  // Without the event the second stream overtakes the first.
  launch(set_kernel, 1, 1, first, value, 2);
  launch(add_kernel, 1, 1, second, value + 1, value);
  cudaStreamSynchronize(second);
  CHECK_EQUAL(fetched(value, 2)[1], 0);
  cudaStreamSynchronize(first);

  launch(set_kernel, 1, 1, first, value, 3);
  CHECK_EQUAL(cudaEventRecord(event, first), cudaSuccess);
  launch(set_kernel, 1, 1, first, value, 100);
  CHECK_EQUAL(cudaStreamWaitEvent(second, event), cudaSuccess);
  launch(add_kernel, 1, 1, second, value + 1, value);
  cudaStreamSynchronize(second);
  const std::vector<int> got = fetched(value, 2);
  CHECK_EQUAL(got[0], 3);  // what follows the event has not run
  CHECK_EQUAL(got[1], 3);
  cudaStreamSynchronize(first);
  CHECK_EQUAL(value_of(value), 100);

  // Long chains of waits, back and forth.
  cudaMemsetAsync(value, 0, 8);
  const int one = 1;
  cudaMemcpy(value + 1, &one, 4, cudaMemcpyHostToDevice);
  for (int k = 0; k < 20000; ++k) {
    cudaStream_t from = k % 2 == 0 ? first : second;
    launch(add_kernel, 1, 1, from, value, value + 1);
    cudaEventRecord(event, from);
    cudaStreamWaitEvent(k % 2 == 0 ? second : first, event);
  }
  CHECK_EQUAL(cudaDeviceSynchronize(), cudaSuccess);
  CHECK_EQUAL(value_of(value), 20000);

  CHECK_EQUAL(cudaEventDestroy(event), cudaSuccess);
  CHECK_EQUAL(cudaEventRecord(event, first), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
  cudaStreamDestroy(first);
  cudaStreamDestroy(second);
  cudaFree(value);
}

void devices() {
  cudaSetDevice(1);
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  cudaEvent_t event = new_event();
  int* value = device_array<int>(1);
  cudaSetDevice(0);
  CHECK_EQUAL(launch(set_kernel, 1, 1, stream, value, 1), cudaErrorInvalidResourceHandle);
  CHECK_EQUAL(cudaEventRecord(event, nullptr), cudaErrorInvalidResourceHandle);
  std::thread([&] {
    cudaSetDevice(1);
    CHECK_EQUAL(launch(set_kernel, 1, 1, stream, value, 1), cudaSuccess);
  }).join();
  CHECK_EQUAL(cudaDeviceSynchronize(), cudaSuccess);
  CHECK_EQUAL(value_of(value), -1);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  CHECK_EQUAL(value_of(value), 1);
  cudaGetLastError();
  cudaEventDestroy(event);
  cudaStreamDestroy(stream);
  cudaFree(value);
}

void capture_and_replay() {
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  int* value = device_array<int>(1);
  int* pinned = pinned_array<int>(2);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusInvalidated;
  pinned[0] = 4;
  const auto counts = [] {
    return std::vector{emulated_count("graph_launches"), emulated_count("kernels"),
                       emulated_count("copies_to_host")};
  };
  const std::vector<std::uint64_t> before = counts();
  CHECK_EQUAL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  CHECK_EQUAL(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  CHECK_EQUAL(status, cudaStreamCaptureStatusActive);
  int factor = 3;
  cudaMemcpyAsync(value, pinned, 4, cudaMemcpyHostToDevice, stream);
  launch(scale_kernel, 1, 1, stream, value, factor);
  factor = 5;
  cudaMemcpyAsync(pinned + 1, value, 4, cudaMemcpyDeviceToHost, stream);
  CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  CHECK_EQUAL(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  CHECK_EQUAL(status, cudaStreamCaptureStatusNone);
  CHECK_EQUAL(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  CHECK_EQUAL(cudaGraphDestroy(graph), cudaSuccess);
  cudaDeviceSynchronize();
  CHECK(counts() == before);
  for (int k = 1; k < 4; ++k) {
    CHECK_EQUAL(cudaGraphLaunch(exec, stream), cudaSuccess);
    pinned[0] = 10 * k;
    cudaStreamSynchronize(stream);
    CHECK_EQUAL(pinned[1], 30 * k);
  }
  const std::vector<std::uint64_t> after = counts();
  for (std::size_t k = 0; k < after.size(); ++k) CHECK_EQUAL(after[k] - before[k], 3u);
  CHECK_EQUAL(cudaGraphExecDestroy(exec), cudaSuccess);
  CHECK_EQUAL(cudaGraphLaunch(exec, stream), cudaErrorInvalidValue);
  cudaGetLastError();
  cudaStreamDestroy(stream);
  cudaFree(value);
  cudaFreeHost(pinned);
}

// Another stream joins the capture; what nothing orders runs in an order of its own.
void forked_capture() {
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  cudaStream_t branch = new_stream(cudaStreamNonBlocking);
  cudaEvent_t fork = new_event();
  cudaEvent_t join = new_event();
  int* value = device_array<int>(1);
  const auto captured = [&](bool wait_first) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    CHECK_EQUAL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
    launch(set_kernel, 1, 1, stream, value, 1);
    cudaEventRecord(fork, stream);
    CHECK_EQUAL(cudaStreamWaitEvent(branch, fork), cudaSuccess);
    launch(set_kernel, 1, 1, branch, value, 7);
    cudaEventRecord(join, branch);
    if (wait_first) CHECK_EQUAL(cudaStreamWaitEvent(stream, join), cudaSuccess);
    launch(scale_kernel, 1, 1, stream, value, 2);
    if (!wait_first) CHECK_EQUAL(cudaStreamWaitEvent(stream, join), cudaSuccess);
    CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    CHECK_EQUAL(cudaGraphInstantiate(&exec, graph), cudaSuccess);
    CHECK_EQUAL(cudaGraphLaunch(exec, stream), cudaSuccess);
    cudaStreamSynchronize(stream);
    CHECK_EQUAL(cudaStreamWaitEvent(branch, join), cudaErrorCapturedEvent);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    return value_of(value);
  };
  CHECK_EQUAL(captured(true), 14);
  CHECK_EQUAL(captured(false), 7);

  cudaGraph_t graph = nullptr;
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
  cudaEventRecord(fork, stream);
  cudaStreamWaitEvent(branch, fork);
  launch(set_kernel, 1, 1, branch, value, 7);
  CHECK_EQUAL(cudaStreamEndCapture(branch, &graph), cudaErrorStreamCaptureUnmatched);
  CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureUnjoined);
  CHECK_EQUAL(cudaStreamSynchronize(branch), cudaSuccess);

  cudaEventRecord(fork, branch);
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
  CHECK_EQUAL(cudaStreamWaitEvent(stream, fork), cudaErrorStreamCaptureIsolation);
  CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  cudaGetLastError();
  cudaStreamDestroy(stream);
  cudaStreamDestroy(branch);
  cudaEventDestroy(fork);
  cudaEventDestroy(join);
  cudaFree(value);
}

void refused_in_capture() {
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  cudaStream_t blocking = new_stream(cudaStreamDefault);
  cudaGraph_t graph = nullptr;
  int* value = device_array<int>(1);
  int local = 0;
  void* pointer = nullptr;
  cudaMemPool_t pool = new_pool();
  const auto refused = [&](auto body) {
    CHECK_EQUAL(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    CHECK_EQUAL(body(), cudaErrorStreamCaptureUnsupported);
    CHECK_EQUAL(launch(set_kernel, 1, 1, stream, value, 1), cudaErrorStreamCaptureInvalidated);
    CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
  };
  refused([&] { return cudaStreamSynchronize(stream); });
  refused([&] { return cudaDeviceSynchronize(); });
  refused([&] { return cudaMalloc(&pointer, 8); });
  refused([&] { return cudaFree(value); });
  refused([&] { return cudaMallocFromPoolAsync(&pointer, 8, pool, stream); });
  refused([&] { return cudaHostAlloc(&pointer, 8, cudaHostAllocPortable); });
  refused([&] { return cudaMemcpyAsync(value, &local, 4, cudaMemcpyHostToDevice, stream); });
  refused([&] { return cudaMemcpyAsync(&local, value, 4, cudaMemcpyDeviceToHost, stream); });
  refused([&] { return cudaMemcpy(value, &local, 4, cudaMemcpyHostToDevice); });
  CHECK_EQUAL(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
              cudaErrorStreamCaptureUnsupported);
  CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorIllegalState);

  // Another thread may allocate beside a thread-local capture, not beside a global one.
  for (const bool global : {false, true}) {
    cudaStreamBeginCapture(stream,
                           global ? cudaStreamCaptureModeGlobal : cudaStreamCaptureModeThreadLocal);
    std::thread([&] {
      CHECK_EQUAL(cudaMalloc(&pointer, 8),
                  global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
      if (!global) CHECK_EQUAL(cudaFree(pointer), cudaSuccess);
      CHECK_EQUAL(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureWrongThread);
    }).join();
    CHECK_EQUAL(cudaStreamEndCapture(stream, &graph),
                global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
  }

  cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed);
  CHECK_EQUAL(cudaMalloc(&pointer, 8), cudaSuccess);
  CHECK_EQUAL(launch(set_kernel, 1, 1, nullptr, value, 1), cudaErrorStreamCaptureImplicit);
  CHECK_EQUAL(cudaStreamEndCapture(blocking, &graph), cudaErrorStreamCaptureInvalidated);
  cudaGetLastError();
  cudaFree(pointer);
  cudaFree(value);
  cudaStreamDestroy(stream);
  cudaStreamDestroy(blocking);
}

void sticky_errors() {
  cudaStream_t stream = new_stream(cudaStreamNonBlocking);
  int* value = device_array<int>(1);
  void* more = nullptr;
  cudaMemPool_t pool = new_pool();
  CHECK_EQUAL(cudaMallocFromPoolAsync(&more, 40 * kMegabyte, pool, stream), cudaSuccess);
  emulated_fail_next("kernel", 1);
  launch(set_kernel, 1, 1, stream, value, 1);
  launch(set_kernel, 1, 1, stream, value, 2);
  CHECK_EQUAL(launch(set_kernel, 1, 1, stream, value, 3), cudaSuccess);
  CHECK_EQUAL(cudaFreeAsync(more, stream), cudaSuccess);
  CHECK_EQUAL(cudaGetLastError(), cudaSuccess);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  CHECK_EQUAL(cudaGetLastError(), cudaErrorIllegalAddress);
  CHECK_EQUAL(cudaGetLastError(), cudaErrorIllegalAddress);
  CHECK_EQUAL(launch(set_kernel, 1, 1, stream, value, 4), cudaErrorIllegalAddress);
  CHECK_EQUAL(cudaMalloc(&more, 4), cudaErrorIllegalAddress);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  emulated_recover();
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  CHECK_EQUAL(value_of(value), 1);
  // What the error kept the stream from freeing is free.
  CHECK_EQUAL(cudaMalloc(&more, 40 * kMegabyte), cudaSuccess);
  cudaFree(more);
  cudaFree(value);
  CHECK_EQUAL(emulated_count("allocations"), 0u);
  cudaStreamDestroy(stream);
}

// Work that nothing waits for runs before the process ends.
void at_exit() {
  int* value = device_array<int>(1);
  CHECK(last_words([&] {
          launch(set_kernel, 1, 1, nullptr, value, 1);
          _exit(0);
        }).empty());
  CHECK(holds(last_words([&] {
                emulated_fail_next("kernel", 0);
                launch(set_kernel, 1, 1, nullptr, value, 1);
                exit(0);
              }),
              "nothing waited for failed: an illegal memory access"));
  cudaFree(value);
}

}  // namespace

int main() {
  setenv("EMULATED_CUDA_MEMORY", "67108864", 1);
  deferral();
  legacy();
  events();
  devices();
  capture_and_replay();
  forked_capture();
  refused_in_capture();
  sticky_errors();
  at_exit();
  return check::result();
}
