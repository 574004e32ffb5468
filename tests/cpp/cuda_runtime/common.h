// common – launches by value, and bodies that must end their process.
#pragma once

#include <cuda_runtime.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "../check.h"

template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream,
                   std::type_identity_t<Parameters>... values) {
  void* arguments[] = {&values..., nullptr};
  return cudaLaunchKernel(kernel, grid, block, arguments, 0, stream);
}

template <class T>
T* device_array(std::size_t n) {
  void* pointer = nullptr;
  CHECK_EQUAL(cudaMalloc(&pointer, n * sizeof(T)), cudaSuccess);
  return static_cast<T*>(pointer);
}

template <class T>
T* pinned_array(std::size_t n) {
  void* pointer = nullptr;
  CHECK_EQUAL(cudaHostAlloc(&pointer, n * sizeof(T), cudaHostAllocPortable), cudaSuccess);
  return static_cast<T*>(pointer);
}

inline cudaMemPool_t new_pool() {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, 0};
  cudaMemPool_t pool = nullptr;
  CHECK_EQUAL(cudaMemPoolCreate(&pool, &properties), cudaSuccess);
  return pool;
}

inline cudaStream_t new_stream(unsigned flags) {
  cudaStream_t stream = nullptr;
  CHECK_EQUAL(cudaStreamCreateWithFlags(&stream, flags), cudaSuccess);
  return stream;
}

inline cudaEvent_t new_event() {
  cudaEvent_t event = nullptr;
  CHECK_EQUAL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  return event;
}

template <class T>
std::vector<T> fetched(const T* from, std::size_t n) {
  std::vector<T> values(n);
  CHECK_EQUAL(cudaMemcpy(values.data(), from, n * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
  return values;
}

// What a child that runs the body says on stderr; empty if it ends as it should not: well.
template <class Body>
std::string last_words(Body body) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return "died: " + text;
}

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
