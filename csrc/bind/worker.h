// worker – the thread that works on a state: one at a time.
#pragma once

#include <atomic>
#include <thread>

namespace mdbopt::bind {

class Worker {
 public:
  // False when there is one already.
  bool start() {
    std::thread::id none;
    return thread_.compare_exchange_strong(none, std::this_thread::get_id());
  }
  void end() { thread_ = std::thread::id(); }
  bool is_this_thread() const { return thread_ == std::this_thread::get_id(); }

 private:
  std::atomic<std::thread::id> thread_{};
};

// Makes this thread the worker. `refuse` throws: another thread is, or a call is that this one comes from.
class Alone {
 public:
  template <class Refuse>
  Alone(Worker& worker, Refuse refuse) : worker_(worker) {
    if (!worker_.start()) refuse();
  }
  ~Alone() { worker_.end(); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  Worker& worker_;
};

// The same for a look, which may also come from the worker's own call: from a hook or a reducer.
class Looking {
 public:
  template <class Refuse>
  Looking(Worker& worker, Refuse refuse) : worker_(worker.is_this_thread() ? nullptr : &worker) {
    if (worker_ != nullptr && !worker_->start()) refuse();
  }
  ~Looking() {
    if (worker_ != nullptr) worker_->end();
  }
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;

 private:
  Worker* worker_;  // null: the worker's own call ends it
};

}  // namespace mdbopt::bind
