// pool – each worker waits for its generation number to change: they spin for some microseconds, then sleep in the kernel.
#include "pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#ifdef __linux__
#include <sched.h>
#endif

#include "error.h"

namespace mdbopt {
namespace {

using Clock = std::chrono::steady_clock;

// How long a waiting thread spins: longer than a small objective takes between two walks, so that workers are awake for
// the next one.
constexpr std::chrono::microseconds kSpin{100};
constexpr int kPausesPerLook = 32;  // at the clock
constexpr double kAwakeCost = 2e3;  // nanoseconds
constexpr double kFirstWakeCost = 2e4;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// False when it is not done by the end of the spin.
template <class T, class Done>
bool spin_until(std::atomic<T>& value, Done done) {
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int k = 0; k < kPausesPerLook; ++k) {
      if (done(value.load(std::memory_order_acquire))) return true;
      pause();
    }
  } while (Clock::now() < end);
  return false;
}

template <class T, class Done>
void sleep_until(std::atomic<T>& value, Done done) {
  for (T seen = value.load(std::memory_order_acquire); !done(seen); seen = value.load(std::memory_order_acquire)) {
    value.wait(seen, std::memory_order_acquire);
  }
}

class Pool {
 public:
  // False when another region is at work; then nothing was run.
  bool run(std::size_t parts, void (*body)(void*, std::size_t), void* context) {
    std::unique_lock<std::mutex> region(region_, std::try_to_lock);
    if (!region.owns_lock()) return false;
    grow(parts - 1);
    body_ = body;
    context_ = context;
    parts_ = parts;
    members_ = std::min(parts, workers_.size() + 1);
    running_.store(members_ - 1, std::memory_order_relaxed);
    posted_ = Clock::now();
    for (std::size_t member = 1; member < members_; ++member) {
      std::atomic<std::uint32_t>& generation = workers_[member - 1];
      generation.fetch_add(1, std::memory_order_release);
      generation.notify_one();
    }
    share(0);
    const auto finished = [](std::size_t running) { return running == 0; };
    if (!spin_until(running_, finished)) sleep_until(running_, finished);
    return true;
  }

  double start_cost(std::size_t wanted) {
    if (awake_.load(std::memory_order_relaxed) + 1 >= wanted) return kAwakeCost;
    // Forgotten bit by bit while it keeps workers asleep, or one bad moment would do so for ever.
    const double cost = wake_cost_.load(std::memory_order_relaxed);
    wake_cost_.store(0.99 * cost, std::memory_order_relaxed);
    return cost;
  }

 private:
  // Parts beyond the number of threads go round: a system that grants fewer threads still runs every part.
  void share(std::size_t member) {
    for (std::size_t part = member; part < parts_; part += members_) body_(context_, part);
  }

  void grow(std::size_t wanted) {
    while (workers_.size() < wanted) {
      workers_.emplace_back(0);
      try {
        std::thread(&Pool::work, this, workers_.size(), &workers_.back()).detach();
      } catch (const std::system_error&) {
        workers_.pop_back();
        return;
      }
    }
  }

  void work(std::size_t member, std::atomic<std::uint32_t>* generation) {
    for (std::uint32_t seen = 0;; ++seen) {
      const auto called = [seen](std::uint32_t now) { return now != seen; };
      awake_.fetch_add(1, std::memory_order_relaxed);
      const bool awake = spin_until(*generation, called);
      awake_.fetch_sub(1, std::memory_order_relaxed);
      if (!awake) {
        sleep_until(*generation, called);
        const double cost = std::chrono::duration<double, std::nano>(Clock::now() - posted_).count();
        wake_cost_.store(0.5 * (wake_cost_.load(std::memory_order_relaxed) + cost), std::memory_order_relaxed);
      }
      share(member);
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
    }
  }

  std::mutex region_;
  std::deque<std::atomic<std::uint32_t>> workers_;  // a generation each: only those that have a part wake up
  std::atomic<std::size_t> running_{0};
  std::atomic<std::size_t> awake_{0};                  // workers that spin
  std::atomic<double> wake_cost_{kFirstWakeCost};      // nanoseconds, as last seen
  Clock::time_point posted_;
  std::size_t members_ = 0;
  void (*body_)(void*, std::size_t) = nullptr;
  void* context_ = nullptr;
  std::size_t parts_ = 0;
};

// Never destroyed: workers may outlive static destruction, and a forked child must abandon its parent's pool, whose
// workers it did not inherit and whose lock another thread may have held.
std::atomic<Pool*> g_pool{nullptr};

Pool& pool() {
  Pool* current = g_pool.load(std::memory_order_acquire);
  if (current != nullptr) return *current;
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] { g_pool.store(nullptr); }); });
  Pool* made = new Pool;
  if (g_pool.compare_exchange_strong(current, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *current;
}

std::size_t affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
#endif
  return std::max(1U, std::thread::hardware_concurrency());
}

// Whole processors granted by the control group's CPU quota (version 2, then 1); 0 when there is none.
std::size_t quota() {
  double quota = 0.0;
  double period = 0.0;
  if (!(std::ifstream("/sys/fs/cgroup/cpu.max") >> quota >> period)) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0.0 && period > 0.0)) return 0;
  return static_cast<std::size_t>(std::max(1.0, quota / period + 0.5));
}

std::size_t choose_threads() {
  if (const char* text = std::getenv("MDBOPT_NUM_THREADS"); text != nullptr && *text != '\0') {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (*end != '\0' || value < 1 || value > 4096) {
      throw Error("MDBOPT_NUM_THREADS: expected a whole number from 1 to 4096, got '" + std::string(text) + "'");
    }
    return static_cast<std::size_t>(value);
  }
  const std::size_t granted = quota();
  return granted > 0 ? std::min(granted, affinity()) : affinity();
}

}  // namespace

std::size_t default_threads() {
  static const std::size_t threads = choose_threads();
  return threads;
}

std::size_t worthwhile(std::size_t wanted, double nanoseconds) {
  // Twice the cost: the estimate of the work is rough, and what else runs here has a use for the core.
  const double gain = nanoseconds * (1.0 - 1.0 / static_cast<double>(wanted));
  return wanted > 1 && gain > 2.0 * kAwakeCost && gain > 2.0 * pool().start_cost(wanted) ? wanted : 1;
}

void parallel(std::size_t parts, void (*body)(void*, std::size_t), void* context) {
  // A region inside a region: its thread may hold the pool already.
  thread_local bool inside = false;
  if (parts > 1 && !inside) {
    inside = true;
    const bool shared = pool().run(parts, body, context);
    inside = false;
    if (shared) return;
  }
  for (std::size_t part = 0; part < parts; ++part) body(context, part);
}

}  // namespace mdbopt
