// streams – queues whose work waits until something waits for it, and events.
//
// An operation names the points of other streams that it comes after; waiting for a point runs its
// stream so far, and of other streams only what that depends on.
#include "streams.h"

#include <cfenv>
#include <thread>
#include <utility>

namespace emulated {
namespace {

// --- running -------------------------------------------------------------------------------------
void drop_everything() {
  for (const StreamPointer& stream : streams().all) {
    for (Operation& operation : stream->queue) {
      if (operation.undo) operation.undo();
    }
    stream->queue.clear();
    stream->done = stream->last;
  }
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

std::vector<Point> ends(const std::function<bool(const Stream&)>& wanted) {
  std::vector<Point> points;
  for (const StreamPointer& stream : streams().all) {
    if (wanted(*stream) && !stream->queue.empty()) points.push_back(end_of(stream));
  }
  return points;
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

// --- streams.h -----------------------------------------------------------------------------------
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

void forget_finished() {
  std::erase_if(streams().all, [](const StreamPointer& stream) {
    return stream->destroyed && stream->queue.empty();
  });
}

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

// --- emulated.h ----------------------------------------------------------------------------------
StreamPointer stream_of(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) {
    return streams().legacy[static_cast<std::size_t>(current_device())];
  }
  if (handle == cudaStreamPerThread) return this_threads_stream();
  return streams().handles.find(handle);
}

int device_of(const Stream& stream) { return stream.device; }

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

// --- streams -------------------------------------------------------------------------------------
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
  return locked([&] {
    if ((flags & ~cudaStreamNonBlocking) != 0) return cudaErrorInvalidValue;
    if (handle == nullptr) return cudaErrorInvalidValue;
    auto made =
        std::make_shared<emulated::Stream>(emulated::current_device(), flags == cudaStreamDefault);
    streams().all.push_back(made);
    *handle = reinterpret_cast<cudaStream_t>(streams().handles.add(std::move(made)));
    return cudaSuccess;
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

// --- events --------------------------------------------------------------------------------------
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
  return locked([&] {
    if (handle == nullptr || (flags & ~cudaEventDisableTiming) != 0) {
      return cudaErrorInvalidValue;
    }
    auto made = std::make_shared<emulated::Event>();
    made->device = emulated::current_device();
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
    emulated::enqueue(stream, [] { return cudaSuccess; }, nullptr, {});
    event->point = emulated::end_of(stream);
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return locked([&] {
    return streams().events.erase(handle) ? cudaSuccess : cudaErrorInvalidResourceHandle;
  });
}
