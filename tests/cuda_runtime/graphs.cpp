// graphs – what a stream captures, and its replay.
#include <queue>

#include "streams.h"

namespace emulated {
namespace {

// Any order that the dependencies allow is a graph's: the one that is furthest from the order in
// which it was captured shows most of those that are missing.
Graph in_late_order(std::vector<Node> nodes) {
  std::vector<std::size_t> waits(nodes.size());
  std::vector<std::vector<std::size_t>> followers(nodes.size());
  std::priority_queue<std::size_t> ready;
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    waits[k] = nodes[k].after.size();
    if (waits[k] == 0) ready.push(k);
    for (const std::size_t before : nodes[k].after) followers[before].push_back(k);
  }
  Graph graph;
  while (!ready.empty()) {
    const std::size_t k = ready.top();
    ready.pop();
    graph.push_back(std::move(nodes[k].body));
    for (const std::size_t follower : followers[k]) {
      if (--waits[follower] == 0) ready.push(follower);
    }
  }
  return graph;
}

// Whether all that was captured comes before the origin's tail.
bool joined(const Capture& capture) {
  std::vector<bool> seen(capture.nodes.size());
  std::set<std::size_t> open = capture.origin->tail;
  std::size_t count = 0;
  while (!open.empty()) {
    const std::size_t k = *open.begin();
    open.erase(open.begin());
    if (seen[k]) continue;
    seen[k] = true;
    ++count;
    open.insert(capture.nodes[k].after.begin(), capture.nodes[k].after.end());
  }
  return count == capture.nodes.size();
}

}  // namespace

void record_node(Stream& stream, Body body) {
  std::vector<Node>& nodes = stream.capture->nodes;
  nodes.push_back({std::move(body), std::exchange(stream.tail, {nodes.size()})});
}

cudaError_t check_capture(const Stream& stream) {
  if (stream.capture != nullptr) {
    return stream.capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  }
  if (!stream.legacy) return cudaSuccess;
  cudaError_t error = cudaSuccess;
  for (const StreamPointer& other : streams().all) {
    if (other->capture == nullptr || !other->blocking || other->device != stream.device) continue;
    other->capture->invalid = true;
    error = cudaErrorStreamCaptureImplicit;
  }
  return error;
}

cudaError_t wait_in_capture(Stream& stream, const Event& event) {
  if (event.capture == nullptr) {
    if (stream.capture == nullptr || event.point.stream == nullptr) return cudaSuccess;
    stream.capture->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  if (event.capture->origin == nullptr) return cudaErrorCapturedEvent;
  if (event.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (stream.legacy) {
    event.capture->invalid = true;
    return cudaErrorStreamCaptureImplicit;
  }
  if (stream.capture != nullptr && stream.capture != event.capture) {
    stream.capture->invalid = true;
    event.capture->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  stream.capture = event.capture;
  stream.tail.insert(event.tail.begin(), event.tail.end());
  return cudaSuccess;
}

bool capturing(const Stream& stream) { return stream.capture != nullptr; }

cudaError_t refuse_in_capture(Stream& stream) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  stream.capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t refuse_while_capturing() {
  cudaError_t error = cudaSuccess;
  for (const StreamPointer& stream : streams().all) {
    if (stream->capture == nullptr) continue;
    Capture& capture = *stream->capture;
    if (capture.mode == cudaStreamCaptureModeGlobal ||
        (capture.mode == cudaStreamCaptureModeThreadLocal &&
         capture.thread == std::this_thread::get_id())) {
      capture.invalid = true;
      error = cudaErrorStreamCaptureUnsupported;
    }
  }
  return error;
}

}  // namespace emulated

using emulated::locked;
using emulated::StreamPointer;
using emulated::streams;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture != nullptr) return cudaErrorIllegalState;
    stream->capture = std::make_shared<emulated::Capture>(emulated::Capture{
        .origin = stream.get(), .mode = mode, .thread = std::this_thread::get_id(), .nodes = {}});
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (graph == nullptr) return cudaErrorInvalidValue;
    *graph = nullptr;
    const std::shared_ptr<emulated::Capture> capture = stream->capture;
    if (capture == nullptr) return cudaErrorIllegalState;
    if (capture->origin != stream.get()) return cudaErrorStreamCaptureUnmatched;
    if (capture->mode != cudaStreamCaptureModeRelaxed &&
        capture->thread != std::this_thread::get_id()) {
      return cudaErrorStreamCaptureWrongThread;
    }
    const bool joined = emulated::joined(*capture);
    capture->origin = nullptr;
    for (const StreamPointer& other : streams().all) {
      if (other->capture != capture) continue;
      other->capture = nullptr;
      other->tail.clear();
    }
    if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (!joined) return cudaErrorStreamCaptureUnjoined;
    auto made =
        std::make_shared<emulated::Graph>(emulated::in_late_order(std::move(capture->nodes)));
    *graph = reinterpret_cast<cudaGraph_t>(streams().graphs.add(std::move(made)));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (status == nullptr) return cudaErrorInvalidValue;
    *status = cudaStreamCaptureStatusNone;
    if (stream->capture != nullptr) {
      *status = stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    } else if (stream->legacy) {
      return emulated::check_capture(*stream);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t handle, unsigned long long) {
  return locked([&] {
    const std::shared_ptr<emulated::Graph> graph = streams().graphs.find(handle);
    if (exec == nullptr || graph == nullptr) return cudaErrorInvalidValue;
    auto made = std::make_shared<emulated::Executable>(emulated::Executable{*graph, {}});
    *exec = reinterpret_cast<cudaGraphExec_t>(streams().executables.add(std::move(made)));
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream_handle) {
  return locked([&] {
    const std::shared_ptr<emulated::Executable> exec = streams().executables.find(handle);
    const StreamPointer stream = emulated::stream_of(stream_handle);
    if (exec == nullptr) return cudaErrorInvalidValue;
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = emulated::check_capture(*stream); error != cudaSuccess) {
      return error;
    }
    ++emulated::counters().graph_launches;
    if (stream->capture != nullptr) {
      for (const emulated::Body& body : exec->graph) emulated::record_node(*stream, body);
      return cudaSuccess;
    }
    std::vector<emulated::Point> after;
    if (exec->last.stream != nullptr) after.push_back(exec->last);
    for (const emulated::Body& body : exec->graph) {
      emulated::enqueue(stream, body, nullptr, std::exchange(after, {}));
    }
    exec->last = emulated::end_of(stream);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  return locked(
      [&] { return streams().executables.erase(handle) ? cudaSuccess : cudaErrorInvalidValue; });
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
  return locked(
      [&] { return streams().graphs.erase(handle) ? cudaSuccess : cudaErrorInvalidValue; });
}
