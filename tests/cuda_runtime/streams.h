// streams – a stream's queue, the points of streams that events mark, and what is being captured.
#pragma once

#include <deque>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "emulated.h"

namespace emulated {

using Body = std::function<cudaError_t()>;

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
  std::vector<Node> nodes;
  bool invalid = false;
};

struct Event {
  int device;
  Point point;  // without a stream before the first record
  std::shared_ptr<Capture> capture;
  std::set<std::size_t> tail;  // of the capture
};

using Graph = std::vector<Body>;

struct Executable {
  Graph graph;
  Point last;  // a graph does not run beside itself
};

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
};

Streams& streams();
Point end_of(const StreamPointer& stream);
bool done(const Point& point);
// Forgets the destroyed streams that have no work left.
void forget_finished();
cudaError_t run_to(std::vector<Point> points);
void enqueue(const StreamPointer& stream, Body body, std::function<void()> undo,
             std::vector<Point> after);

// --- graphs.cpp ----------------------------------------------------------------------------------
// What would keep an operation off the stream: dependencies of the legacy stream are not captured.
cudaError_t check_capture(const Stream& stream);
void record_node(Stream& stream, Body body);
// A wait of which the stream or the event is part of a capture.
cudaError_t wait_in_capture(Stream& stream, const Event& event);

}  // namespace emulated
