// pool – each worker waits for its call: it spins for some microseconds, then sleeps in the kernel.
//
// Parts are taken from one ticket, (region, parts, next part) in a single word, so that a worker
// that wakes after its region is over takes nothing from the next one.
#include "pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#ifdef __linux__
#include <sched.h>
#endif

#include <mdbopt/error.h>

namespace mdbopt {
namespace {

using Clock = std::chrono::steady_clock;

// How long a waiting thread spins: longer than a small objective takes between two walks, so that
// workers are awake for the next one.
constexpr std::chrono::microseconds kSpin{100};
constexpr int kPausesPerLook = 32;  // at the clock
// Nanoseconds that a region costs its caller, with workers that spin and with workers that must be
// woken.
constexpr double kAwakeCost = 2e3;
constexpr double kAsleepCost = 1e4;
constexpr std::size_t kPartsPerThread = 4;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class T, class Done>
void wait_until(std::atomic<T>& value, Done done) {
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int k = 0; k < kPausesPerLook; ++k) {
      if (done(value.load(std::memory_order_acquire))) return;
      pause();
    }
  } while (Clock::now() < end);
  for (T seen = value.load(std::memory_order_acquire); !done(seen);
       seen = value.load(std::memory_order_acquire)) {
    value.wait(seen, std::memory_order_acquire);
  }
}

struct Ticket {
  std::uint32_t region;
  std::uint16_t parts, next;

  std::uint64_t word() const {
    return std::uint64_t{region} << 32 | std::uint64_t{parts} << 16 | next;
  }
  static Ticket of(std::uint64_t word) {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16),
            static_cast<std::uint16_t>(word)};
  }
};

class Pool {
 public:
  // False when another region is at work; then nothing was run.
  bool run(std::size_t parts, std::size_t threads, void (*body)(void*, std::size_t),
           void* context) {
    std::unique_lock<std::mutex> region(region_, std::try_to_lock);
    if (!region.owns_lock()) return false;
    const std::size_t helpers = std::min(threads, parts) - 1;
    grow(helpers);
    body_ = body;
    context_ = context;
    left_.store(parts, std::memory_order_relaxed);
    const std::uint32_t number = Ticket::of(ticket_.load(std::memory_order_relaxed)).region + 1;
    ticket_.store(Ticket{number, static_cast<std::uint16_t>(parts), 0}.word(),
                  std::memory_order_release);
    for (std::size_t k = 0; k < std::min(helpers, workers_.size()); ++k) {
      workers_[k].store(number, std::memory_order_release);
      workers_[k].notify_one();
    }
    take_parts(number);
    wait_until(left_, [](std::size_t left) { return left == 0; });
    return true;
  }

  bool awake(std::size_t helpers) const {
    return spinning_.load(std::memory_order_relaxed) >= helpers;
  }

 private:
  void take_parts(std::uint32_t region) {
    std::uint64_t word = ticket_.load(std::memory_order_acquire);
    for (;;) {
      const Ticket ticket = Ticket::of(word);
      if (ticket.region != region || ticket.next >= ticket.parts) return;
      if (!ticket_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel)) continue;
      body_(context_, ticket.next);
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
      word = ticket_.load(std::memory_order_acquire);
    }
  }

  // As far as it can: what a missing thread would have done, the others do.
  void grow(std::size_t wanted) noexcept {
    while (workers_.size() < wanted) {
      const std::size_t before = workers_.size();
      try {
        workers_.emplace_back(0);
        std::thread(&Pool::work, this, &workers_.back()).detach();
      } catch (const std::exception&) {  // no thread, or no memory for one
        if (workers_.size() > before) workers_.pop_back();
        return;
      }
    }
  }

  void work(std::atomic<std::uint32_t>* call) {
    for (std::uint32_t done = 0;;) {
      spinning_.fetch_add(1, std::memory_order_relaxed);
      wait_until(*call, [&](std::uint32_t region) { return region != done; });
      spinning_.fetch_sub(1, std::memory_order_relaxed);
      done = call->load(std::memory_order_acquire);
      take_parts(done);
    }
  }

  std::mutex region_;
  std::deque<std::atomic<std::uint32_t>>
      workers_;  // the region each is called to: only those called wake up
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::size_t> left_{0};  // parts not yet done
  std::atomic<std::size_t> spinning_{0};
  void (*body_)(void*, std::size_t) = nullptr;
  void* context_ = nullptr;
};

// Never destroyed: workers may outlive static destruction, and a forked child must abandon its
// parent's pool, whose workers it did not inherit and whose lock another thread may have held.
std::atomic<Pool*> g_pool{nullptr};

// Null when there is no memory for one.
Pool* pool() {
  Pool* current = g_pool.load(std::memory_order_acquire);
  if (current != nullptr) return current;
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] { g_pool.store(nullptr); }); });
  std::unique_ptr<Pool> made;
  try {
    made = std::make_unique<Pool>();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  if (g_pool.compare_exchange_strong(current, made.get(), std::memory_order_acq_rel)) {
    return made.release();
  }
  return current;
}

std::size_t affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
#endif
  return std::max(1U, std::thread::hardware_concurrency());
}

// Whole processors granted by the control group's CPU quota (version 2, then 1); 0 when there is
// none.
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

constexpr long kMostThreads = 4096;

// The first whole number of a variable such as "4" or "4,2", which OpenMP reads as one for each
// level; 0 when there is none.
std::size_t first_number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  while (std::isspace(static_cast<unsigned char>(*end)) != 0) ++end;
  if (end == text || (*end != '\0' && *end != ',') || value < 1) return 0;
  return static_cast<std::size_t>(std::min(value, kMostThreads));
}

// Bounded by a limit that is 0 when there is none.
std::size_t within(std::size_t limit, std::size_t threads) {
  return limit > 0 ? std::min(limit, threads) : threads;
}

std::size_t choose_threads() {
  if (const char* text = std::getenv("MDBOPT_NUM_THREADS"); text != nullptr && *text != '\0') {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (*end != '\0' || value < 1 || value > kMostThreads) {
      throw Error("MDBOPT_NUM_THREADS: expected a whole number from 1 to 4096, got '" +
                  std::string(text) + "'");
    }
    return static_cast<std::size_t>(value);
  }
  // joblib gives it to its workers, so that they share the processors.
  const std::size_t asked = first_number("OMP_NUM_THREADS");
  const std::size_t processors =
      within(first_number("LOKY_MAX_CPU_COUNT"), within(quota(), affinity()));
  return within(first_number("OMP_THREAD_LIMIT"), asked > 0 ? asked : processors);
}

}  // namespace

std::size_t default_threads() {
  static const std::size_t threads = choose_threads();
  return threads;
}

std::size_t parts_for(std::size_t threads, double nanoseconds) {
  constexpr std::size_t kMostParts = 0xffff;
  if (threads < 2) return 1;
  const double gain = nanoseconds * (1.0 - 1.0 / static_cast<double>(threads));
  // Twice the cost: the estimate is rough, and what else runs here has a use for the core.
  if (gain < 2.0 * kAwakeCost) return 1;
  const Pool* const workers = pool();
  if (workers == nullptr) return 1;
  const double cost = workers->awake(threads - 1) ? kAwakeCost : kAsleepCost;
  return gain < 2.0 * cost ? 1 : std::min(kMostParts, kPartsPerThread * threads);
}

void parallel(std::size_t parts, std::size_t threads, void (*body)(void*, std::size_t),
              void* context) {
  // A region inside a region: its thread may hold the pool already.
  thread_local bool inside = false;
  Pool* const workers = parts > 1 && threads > 1 && !inside ? pool() : nullptr;
  if (workers != nullptr) {
    inside = true;
    const bool shared = workers->run(parts, threads, body, context);
    inside = false;
    if (shared) return;
  }
  for (std::size_t part = 0; part < parts; ++part) body(context, part);
}

}  // namespace mdbopt
