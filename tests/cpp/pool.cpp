// pool – every part runs exactly once: alone, nested, many times in a row, and with several
// callers.
#include <mdbopt/error.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>

#include "check.h"
#include "engine/pool.h"

namespace {

// Runs body(part) for each part; counts how often each ran.
template <class Body>
void parallel(std::size_t parts, Body body) {
  mdbopt::parallel(
      parts, parts, [](void* context, std::size_t part) { (*static_cast<Body*>(context))(part); },
      &body);
}

class Counts {
 public:
  explicit Counts(std::size_t parts) : parts_(parts), ran_(new std::atomic<int>[parts]()) {}
  void add(std::size_t part) { ran_[part].fetch_add(1, std::memory_order_relaxed); }
  bool all(int wanted) const {
    for (std::size_t part = 0; part < parts_; ++part) {
      if (ran_[part].load() != wanted) return false;
    }
    return true;
  }

 private:
  std::size_t parts_;
  std::unique_ptr<std::atomic<int>[]> ran_;
};

void each_part_runs_once() {
  for (std::size_t parts : {0U, 1U, 2U, 3U, 2U}) {
    Counts counts(parts);
    parallel(parts, [&](std::size_t part) { counts.add(part); });
    CHECK(counts.all(1));
  }
}

// After the others: workers stay, and each costs a little from then on.
void many_parts() {
  for (std::size_t parts : {7U, 40U, 5U, 2U}) {
    Counts counts(parts);
    parallel(parts, [&](std::size_t part) { counts.add(part); });
    CHECK(counts.all(1));
  }
}

// What a part wrote is seen after the call without any further synchronisation.
void writes_are_seen() {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::size_t> squares(4, 0);
    parallel(squares.size(), [&](std::size_t part) { squares[part] = part * part; });
    for (std::size_t part = 0; part < squares.size(); ++part) {
      CHECK_EQUAL(squares[part], part * part);
    }
  }
}

// A region inside a part runs on the thread of that part.
void nested_regions_are_serial() {
  constexpr std::size_t kOuter = 5;
  constexpr std::size_t kInner = 9;
  Counts counts(kOuter * kInner);
  std::atomic<int> strangers{0};
  parallel(kOuter, [&](std::size_t outer) {
    const std::thread::id here = std::this_thread::get_id();
    parallel(kInner, [&](std::size_t inner) {
      counts.add(outer * kInner + inner);
      if (std::this_thread::get_id() != here) ++strangers;
    });
  });
  CHECK(counts.all(1));
  CHECK_EQUAL(strangers.load(), 0);
}

void many_small_regions() {
  constexpr int kRegions = 2000;
  Counts counts(3);
  for (int region = 0; region < kRegions; ++region) {
    parallel(3, [&](std::size_t part) { counts.add(part); });
  }
  CHECK(counts.all(kRegions));
}

void callers_at_once() {
  constexpr int kRegions = 300;
  std::vector<std::thread> callers;
  std::vector<Counts> counts;
  for (int k = 0; k < 4; ++k) counts.emplace_back(6);
  for (Counts& mine : counts) {
    callers.emplace_back([&mine] {
      for (int region = 0; region < kRegions; ++region) {
        parallel(6, [&](std::size_t part) { mine.add(part); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const Counts& mine : counts) CHECK(mine.all(kRegions));
}

void threads_of_the_environment() {
  for (const char* bad : {"0", "-3", "two", "2.5", "4097"}) {
    setenv("MDBOPT_NUM_THREADS", bad, 1);
    CHECK_THROWS(mdbopt::Error, std::string("got '") + bad + "'", mdbopt::default_threads());
  }
  setenv("MDBOPT_NUM_THREADS", "3", 1);
  CHECK_EQUAL(mdbopt::default_threads(), 3U);
}

}  // namespace

int main() {
  each_part_runs_once();
  writes_are_seen();
  nested_regions_are_serial();
  many_small_regions();
  callers_at_once();
  many_parts();
  threads_of_the_environment();
  return check::result();
}
