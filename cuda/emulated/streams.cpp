// streams – queues whose work waits until something waits for it, events, and captured graphs.
//
// An operation names the points of other streams that it comes after; waiting for a point runs its
// stream so far, and of other streams only what that depends on.
#include <cfenv>
#include <chrono>
#include <deque>
#include <optional>
#include <queue>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "emulated.h"

namespace emulated {

using Clock = std::chrono::steady_clock;
using Body = std::function<cudaError_t()>;

namespace {

struct Point {
  StreamPointer stream;
  std::uint64_t ticket = 0;
};

struct Operation {
  Body body;
  std::function<void()> undo;
  std::vector<Point> after;
  std::uint64_t ticket;
};

struct Node {
  Body body;
  std::set<std::size_t> after;
};

struct Capture {
  Stream* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  unsigned long long id;
  std::vector<Node> nodes;
  bool invalid = false;
};

struct Event {
  int device;
  bool timed;
  Point point;  // without a stream before the first record
  std::shared_ptr<std::optional<Clock::time_point>> time;
  std::shared_ptr<Capture> capture;
  std::set<std::size_t> tail;  // of the capture
};

using Graph = std::vector<Body>;

struct Executable {
  Graph graph;
  Point last;  // a graph does not run beside itself
};

}  // namespace

struct Stream {
  Stream(int device_, bool blocking_, bool legacy_ = false)
      : device(device_), blocking(blocking_), legacy(legacy_) {}

  const int device;
  const bool blocking;
  const bool legacy;
  bool destroyed = false;
  std::deque<Operation> queue;
  std::uint64_t last = 0;  // tickets
  std::uint64_t done = 0;
  std::shared_ptr<Capture> capture;
  std::set<std::size_t> tail;  // the nodes that the next one comes after
};

namespace {

template <class T>
class Handles {
 public:
  explicit Handles(std::uintptr_t first) : next_(first) {}
  // Never used again: a handle that was destroyed stays invalid.
  std::uintptr_t add(std::shared_ptr<T> object) {
    next_ += 0x10;
    objects_[next_] = std::move(object);
    return next_;
  }
  template <class Handle>
  std::shared_ptr<T> find(Handle handle) const {
    const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
    return found == objects_.end() ? nullptr : found->second;
  }
  template <class Handle>
  bool erase(Handle handle) {
    return objects_.erase(reinterpret_cast<std::uintptr_t>(handle)) != 0;
  }

 private:
  std::uintptr_t next_;
  std::unordered_map<std::uintptr_t, std::shared_ptr<T>> objects_;
};

struct Streams {
  std::vector<StreamPointer> all;  // with those that are destroyed and have work left
  std::vector<StreamPointer> legacy;
  std::vector<std::pair<std::thread::id, StreamPointer>> per_thread;
  Handles<Stream> handles{0x10000};
  Handles<Event> events{0x20000008};
  Handles<Graph> graphs{0x40000004};
  Handles<Executable> executables{0x6000000c};
  std::uint64_t last_ticket = 0;
  unsigned long long last_capture = 0;
};

Streams& streams() {
  static Streams& instance = *[] {
    Streams* made = new Streams;
    for (int device = 0; device < device_count(); ++device) {
      made->legacy.push_back(std::make_shared<Stream>(device, true, true));
      made->all.push_back(made->legacy.back());
    }
    return made;
  }();
  return instance;
}

Point end_of(const StreamPointer& stream) { return {stream, stream->last}; }
bool done(const Point& point) { return point.stream->done >= point.ticket; }

// --- running --------------------------------------------------------------------------------------
void drop_everything() {
  for (const StreamPointer& stream : streams().all) {
    for (Operation& operation : stream->queue) {
      if (operation.undo) operation.undo();
    }
    stream->queue.clear();
    stream->done = stream->last;
  }
}

void forget_finished() {
  std::erase_if(streams().all, [](const StreamPointer& stream) {
    return stream->destroyed && stream->queue.empty();
  });
}

// What the host's thread has set, such as flushing subnormals, is no matter to a device.
class AtWork {
 public:
  AtWork() {
    std::fegetenv(&environment_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~AtWork() {
    close_memory();
    std::fesetenv(&environment_);
  }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

 private:
  std::fenv_t environment_;
};

cudaError_t run_to(std::vector<Point> points) {
  std::erase_if(points, [](const Point& point) { return done(point); });
  if (points.empty()) return cudaSuccess;
  const AtWork at_work;
  while (!points.empty()) {
    const Point point = points.back();
    if (done(point)) {
      points.pop_back();
      continue;
    }
    Operation& next = point.stream->queue.front();
    if (!next.after.empty()) {
      points.push_back(std::move(next.after.back()));
      next.after.pop_back();
      continue;
    }
    if (const cudaError_t error = next.body(); error != cudaSuccess) {
      stand(error);
      point.stream->queue.pop_front();
      drop_everything();
      forget_finished();
      return error;
    }
    point.stream->done = next.ticket;
    point.stream->queue.pop_front();
  }
  forget_finished();
  return cudaSuccess;
}

std::vector<Point> ends(const std::function<bool(const Stream&)>& wanted) {
  std::vector<Point> points;
  for (const StreamPointer& stream : streams().all) {
    if (wanted(*stream) && !stream->queue.empty()) points.push_back(end_of(stream));
  }
  return points;
}

// A caller that polls would wait for ever if nothing ran.
cudaError_t poll(const Point& point) {
  if (done(point)) return cudaSuccess;
  const cudaError_t error = run_to({{point.stream, point.stream->queue.front().ticket}});
  return error == cudaSuccess ? cudaErrorNotReady : error;
}

// --- queueing -------------------------------------------------------------------------------------
void enqueue(const StreamPointer& stream, Body body, std::function<void()> undo,
             std::vector<Point> after) {
  // The legacy stream and each blocking stream of its device wait for one another.
  for (const StreamPointer& other : streams().all) {
    if (other == stream || other->device != stream->device || other->queue.empty()) continue;
    if (stream->legacy ? other->blocking : (stream->blocking && other->legacy)) {
      after.push_back(end_of(other));
    }
  }
  stream->last = ++streams().last_ticket;
  stream->queue.push_back({std::move(body), std::move(undo), std::move(after), stream->last});
}

void record_node(Stream& stream, Body body) {
  std::vector<Node>& nodes = stream.capture->nodes;
  nodes.push_back({std::move(body), std::exchange(stream.tail, {nodes.size()})});
}

// What would keep the operation off the stream; `implicit` dependencies cannot be captured.
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

StreamPointer this_threads_stream() {
  const std::thread::id thread = std::this_thread::get_id();
  for (const auto& [owner, stream] : streams().per_thread) {
    if (owner == thread && stream->device == current_device()) return stream;
  }
  StreamPointer made = std::make_shared<Stream>(current_device(), true);
  streams().all.push_back(made);
  streams().per_thread.emplace_back(thread, made);
  return made;
}

cudaError_t create_stream(cudaStream_t* handle, bool blocking) {
  if (handle == nullptr) return cudaErrorInvalidValue;
  StreamPointer made = std::make_shared<Stream>(current_device(), blocking);
  streams().all.push_back(made);
  *handle = reinterpret_cast<cudaStream_t>(streams().handles.add(std::move(made)));
  return cudaSuccess;
}

// What nothing waited for runs before the process ends, and may not fail unseen.
const struct AtExit {
  ~AtExit() {
    if (device_count() == 0 || standing_error() != cudaSuccess) return;
    if (const cudaError_t error = wait_for_all(); error != cudaSuccess) {
      die("work that nothing waited for failed: %s", cudaGetErrorString(error));
    }
  }
} at_exit;

}  // namespace

// --- shared ---------------------------------------------------------------------------------------
StreamPointer stream_of(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) {
    return streams().legacy[static_cast<std::size_t>(current_device())];
  }
  if (handle == cudaStreamPerThread) return this_threads_stream();
  return streams().handles.find(handle);
}

int device_of(const Stream& stream) { return stream.device; }

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

cudaError_t submit(const StreamPointer& stream, Body body, std::function<void()> undo) {
  if (const cudaError_t error = check_capture(*stream); error != cudaSuccess) return error;
  if (stream->capture != nullptr) {
    record_node(*stream, std::move(body));
  } else {
    enqueue(stream, std::move(body), std::move(undo), {});
  }
  return cudaSuccess;
}

cudaError_t wait_for(const StreamPointer& stream) { return run_to({end_of(stream)}); }

cudaError_t wait_for_device(int device) {
  return run_to(ends([device](const Stream& stream) { return stream.device == device; }));
}

cudaError_t wait_for_all() {
  return run_to(ends([](const Stream&) { return true; }));
}

}  // namespace emulated

using emulated::locked;
using emulated::StreamPointer;
using emulated::streams;

// --- streams --------------------------------------------------------------------------------------
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return locked([&] { return emulated::create_stream(stream, true); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return locked([&] {
    if ((flags & ~cudaStreamNonBlocking) != 0) return cudaErrorInvalidValue;
    return emulated::create_stream(stream, flags == cudaStreamDefault);
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return locked([&] {
    const StreamPointer stream = streams().handles.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) return emulated::refuse_in_capture(*stream);
    stream->destroyed = true;
    streams().handles.erase(handle);
    emulated::forget_finished();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) return emulated::refuse_in_capture(*stream);
    if (const cudaError_t error = emulated::check_capture(*stream); error != cudaSuccess) {
      return error;
    }
    ++emulated::counters().synchronizations;
    return emulated::wait_for(stream);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) return emulated::refuse_in_capture(*stream);
    return emulated::poll(emulated::end_of(stream));
  });
}

cudaError_t cudaDeviceSynchronize() {
  return locked([&] {
    const int device = emulated::current_device();
    cudaError_t error = emulated::refuse_while_capturing();
    for (const StreamPointer& stream : streams().all) {
      if (stream->capture == nullptr || stream->device != device) continue;
      stream->capture->invalid = true;
      error = cudaErrorStreamCaptureUnsupported;
    }
    if (error != cudaSuccess) return error;
    ++emulated::counters().synchronizations;
    return emulated::wait_for_device(device);
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned flags) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    const std::shared_ptr<emulated::Event> event = streams().events.find(event_handle);
    if (stream == nullptr || event == nullptr) return cudaErrorInvalidResourceHandle;
    if (flags != 0) return cudaErrorInvalidValue;
    if (const cudaError_t error = emulated::check_capture(*stream); error != cudaSuccess) {
      return error;
    }
    if (stream->capture != nullptr || event->capture != nullptr) {
      return emulated::wait_in_capture(*stream, *event);
    }
    if (event->point.stream == nullptr) return cudaSuccess;
    emulated::enqueue(stream, [] { return cudaSuccess; }, nullptr, {event->point});
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetDevice(cudaStream_t handle, int* device) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (device == nullptr) return cudaErrorInvalidValue;
    *device = stream->device;
    return cudaSuccess;
  });
}

// --- events ---------------------------------------------------------------------------------------
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
  return locked([&] {
    if (handle == nullptr || (flags & ~(cudaEventBlockingSync | cudaEventDisableTiming)) != 0) {
      return cudaErrorInvalidValue;
    }
    auto made = std::make_shared<emulated::Event>();
    made->device = emulated::current_device();
    made->timed = (flags & cudaEventDisableTiming) == 0;
    *handle = reinterpret_cast<cudaEvent_t>(streams().events.add(std::move(made)));
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event_handle, cudaStream_t handle) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    const std::shared_ptr<emulated::Event> event = streams().events.find(event_handle);
    if (stream == nullptr || event == nullptr || event->device != stream->device) {
      return cudaErrorInvalidResourceHandle;
    }
    if (const cudaError_t error = emulated::check_capture(*stream); error != cudaSuccess) {
      return error;
    }
    event->capture = stream->capture;
    event->tail = stream->tail;
    if (stream->capture != nullptr) return cudaSuccess;
    auto time = std::make_shared<std::optional<emulated::Clock::time_point>>();
    emulated::enqueue(stream,
                      [time] {
                        *time = emulated::Clock::now();
                        return cudaSuccess;
                      },
                      nullptr, {});
    event->point = emulated::end_of(stream);
    event->time = std::move(time);
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return locked([&] {
    const std::shared_ptr<emulated::Event> event = streams().events.find(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    if (event->capture != nullptr) return cudaErrorCapturedEvent;
    ++emulated::counters().synchronizations;
    return event->point.stream == nullptr ? cudaSuccess : emulated::run_to({event->point});
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return locked([&] {
    const std::shared_ptr<emulated::Event> event = streams().events.find(handle);
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    if (event->capture != nullptr) return cudaErrorCapturedEvent;
    if (const cudaError_t error = emulated::refuse_while_capturing(); error != cudaSuccess) {
      return error;
    }
    return event->point.stream == nullptr ? cudaSuccess : emulated::poll(event->point);
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return locked([&] {
    const std::shared_ptr<emulated::Event> first = streams().events.find(start);
    const std::shared_ptr<emulated::Event> last = streams().events.find(end);
    if (first == nullptr || last == nullptr || first->device != last->device || !first->timed ||
        !last->timed || first->time == nullptr || last->time == nullptr) {
      return cudaErrorInvalidResourceHandle;
    }
    if (milliseconds == nullptr) return cudaErrorInvalidValue;
    if (!first->time->has_value() || !last->time->has_value()) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(**last->time - **first->time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return locked([&] {
    return streams().events.erase(handle) ? cudaSuccess : cudaErrorInvalidResourceHandle;
  });
}

// --- graphs ---------------------------------------------------------------------------------------
cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture != nullptr) return cudaErrorIllegalState;
    stream->capture =
        std::make_shared<emulated::Capture>(emulated::Capture{.origin = stream.get(),
                                                              .mode = mode,
                                                              .thread = std::this_thread::get_id(),
                                                              .id = ++streams().last_capture,
                                                              .nodes = {}});
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

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return cudaStreamGetCaptureInfo(stream, status, nullptr);
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus* status,
                                     unsigned long long* id) {
  return locked([&] {
    const StreamPointer stream = emulated::stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (status == nullptr) return cudaErrorInvalidValue;
    *status = cudaStreamCaptureStatusNone;
    if (stream->capture != nullptr) {
      *status = stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
      if (id != nullptr) *id = stream->capture->id;
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
