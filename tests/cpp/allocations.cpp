// allocations – each one may fail: then an exception says so, nothing is lost or half written, and the same
// call goes on from there.
#include <mdbopt/error.h>
#include <mdbopt/updater.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "engine/pool.h"
#include "searches.h"

using mdbopt::Updater;

static_assert(!std::is_nothrow_copy_assignable_v<Buffer>);
static_assert(std::is_nothrow_move_assignable_v<Buffer>);

namespace {

// Allocations of this thread until one fails; negative: none does.
thread_local long g_left = -1;

bool fails() { return g_left >= 0 && g_left-- == 0; }

}  // namespace

// Out of line, or compilers see that one's memory comes from malloc and warn.
__attribute__((noinline)) void* operator new(std::size_t size) {
  void* memory = fails() ? nullptr : std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

// Of the arrays. In another C library posix_memalign may itself come here, so that those of arrays never fail.
#ifdef __GLIBC__
constexpr bool kArraysFail = true;
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  void* memory = nullptr;
  if (fails() || posix_memalign(&memory, alignment, size) != 0) return nullptr;
  return memory;
}
#else
constexpr bool kArraysFail = false;
#endif

namespace {

// In a thread of its own, which has none of the memory that threads keep for later calls.
template <class Body>
void in_new_thread(Body body) {
  std::thread(body).join();
}

// Runs a call whose allocations are counted; true where one failed and it was run again.
template <class Body>
bool again_where_it_fails(long& left, Body body) {
  g_left = left;
  try {
    body();
    left = g_left;
    g_left = -1;
    return false;
  } catch (const std::bad_alloc&) {
    g_left = left = -1;
  }
  body();
  return true;
}

// Makes a search that goes to its end, in which the allocation after so many fails; true where it did. A
// judgement that had not begun to write is made again; after one that had, the search says so.
bool goes_on_after(long left, const Case& one, bool converges) {
  Quadratic<double> problem(kSize);
  const Options options = options_of(one);
  std::unique_ptr<Search> search;
  bool failed = again_where_it_fails(left, [&] { search = make(options); });
  // One that could not begin is made anew.
  bool again = false;
  failed |= again_where_it_fails(left, [&] {
    if (std::exchange(again, true)) search = make(options);
    problem.begin(*search);
  });
  for (int k = 0; k < 400 && !search->converged(1e-6); ++k) {
    failed |= again_where_it_fails(left, [&] { search->propose(); });
    problem.evaluate(static_cast<const double*>(search->propose().data()));
    for (const double x : problem.x) CHECK(std::isfinite(x));
    const auto judge = [&] { search->judge(problem.f, problem.gradient()); };
    try {
      failed |= again_where_it_fails(left, judge);
    } catch (const mdbopt::Error& error) {
      CHECK(std::string(error.what()).find("half done; make a new search") != std::string::npos);
      CHECK_THROWS(mdbopt::Error, "half done", search->propose());
      return true;
    }
  }
  if (search->converged(1e-6) != converges) fail(one, "does not go on after memory that ended");
  failed |= again_where_it_fails(left, [&] {
    const Buffer copy = search->x();
    Buffer other;
    other = copy;
  });
  return failed;
}

bool converges(const Case& one) {
  Quadratic<double> problem(kSize);
  const auto search = make(options_of(one));
  problem.begin(*search);
  for (int k = 0; k < 400 && !search->converged(1e-6); ++k) problem.step(*search);
  return search->converged(1e-6);
}

void any_may_fail(const Case& one) {
  const bool end = converges(one);
  long count = 0;
  for (bool failed = true; failed; ++count)
    in_new_thread([&] { failed = goes_on_after(count, one, end); });
  CHECK(count > 10);
}

// --- updaters ------------------------------------------------------------------------------------

// Alone, as the one shard that there is.
struct Alone final : mdbopt::Reducer {
  void gather(std::span<const double> mine, std::vector<double>& all) override {
    all.assign(mine.begin(), mine.end());
  }
};

struct Kind {
  const char* name;
  std::size_t groups;
  double max_norm;
  bool sharded;
};

constexpr Kind kKinds[] = {{"one group", 1, 0.0, false},
                           {"two groups", 2, 0.0, false},
                           {"a bounded norm", 1, 0.5, false},
                           {"a shard", 1, 0.5, true}};

Updater::Options updater_options(std::size_t rule, bool sharded) {
  Updater::Options options;
  options.name = "own";
  options.rule = rule;
  const mdbopt::Description& description = mdbopt::rule_description(rule);
  for (std::size_t k = 0; k < description.scalar_count; ++k) {
    const double fallback = description.scalars[k].fallback;
    options.scalars.push_back(std::isnan(fallback) ? 0.5 : fallback);
  }
  options.execution.threads = 1;
  if (sharded) options.reducer = std::make_shared<Alone>();
  return options;
}

// Two arrays, one of them longer than a chunk; positive numbers suit all states.
class Arrays {
 public:
  explicit Arrays(std::size_t streams, std::size_t groups) {
    check::Random random(3);
    for (const std::size_t size : {std::size_t{1500}, std::size_t{7}}) {
      auto& own = values_.emplace_back();
      for (std::size_t k = 0; k < streams; ++k) {
        own.push_back(random.numbers(size));
        for (double& value : own.back()) value = std::abs(value);
      }
    }
    for (std::size_t j = 0; j < values_.size(); ++j) {
      for (std::size_t k = 0; k < streams; ++k) pointers_[j][k] = values_[j][k].data();
      jobs_[j] = {pointers_[j].data(), values_[j][0].size(), 0.1};
      jobs_[j].variant = j % groups;
    }
  }
  std::span<const mdbopt::Job> jobs() const { return jobs_; }
  const auto& values() const { return values_; }

 private:
  std::vector<std::vector<std::vector<double>>> values_;
  std::array<std::array<void*, mdbopt::kMaxStreams>, 2> pointers_{};
  std::array<mdbopt::Job, 2> jobs_{};
};

using Values = std::vector<std::vector<std::vector<double>>>;

// As goes_on_after, of an updater; where a step fails nothing is written.
bool steps_after(long left, std::size_t rule, const Kind& kind, Values& whole) {
  const Updater::Options options = updater_options(rule, kind.sharded);
  Arrays arrays(mdbopt::rule_description(rule).stream_count, kind.groups);
  std::vector<Updater::Group> groups(kind.groups);
  if (kind.groups > 1) groups.back().decay = 0.01;
  std::optional<Updater> updater;
  bool failed = again_where_it_fails(left, [&] { updater.emplace(options); });
  for (int k = 0; k < 3; ++k) {
    const Values before = arrays.values();
    g_left = left;
    try {
      updater->step(groups, arrays.jobs(), {1.0, kind.max_norm});
      left = g_left;
      g_left = -1;
    } catch (const std::bad_alloc&) {
      g_left = left = -1;
      failed = true;
      // Shards that one has failed on are of no further use.
      if (kind.sharded) return true;
      CHECK(arrays.values() == before);
      CHECK_EQUAL(updater->t(), static_cast<std::uint64_t>(k));
      updater->step(groups, arrays.jobs(), {1.0, kind.max_norm});
    }
    if (k == 1) {
      const std::string name = updater->numbers().empty() ? "" : updater->numbers().front().name;
      failed |=
          again_where_it_fails(left, [&] { updater->set_number(name, {{0.5, 0.25, 0.125}}); });
      failed |= again_where_it_fails(left, [&] { updater->configure(options); });
    }
  }
  if (whole.empty()) whole = arrays.values();
  if (arrays.values() != whole)
    check::fail(__FILE__, __LINE__) << mdbopt::rule_description(rule).name << ", " << kind.name
                                    << ": steps otherwise after memory that ended\n";
  return failed;
}

void any_of_an_updater_may_fail(std::size_t rule, const Kind& kind) {
  Values whole;
  CHECK(!steps_after(-1, rule, kind, whole));
  long count = 0;
  for (bool failed = true; failed; ++count)
    in_new_thread([&] { failed = steps_after(count, rule, kind, whole); });
  CHECK(count > 3);
}

// --- what both are made of ------------------------------------------------------------------------

// Of a line and of huge pages.
void arrays_may_fail() {
  for (const std::size_t size : {std::size_t{3}, std::size_t{500'000}}) {
    std::optional<Buffer> buffer;
    long left = 0;
    CHECK_EQUAL(again_where_it_fails(left, [&] { buffer.emplace(size, Dtype::kFloat64); }),
                kArraysFail);
    CHECK_EQUAL(buffer->doubles()[size - 1], 0.0);
  }
}

void sizes_that_overflow_fail() {
  constexpr std::size_t kMost = static_cast<std::size_t>(-1);
  for (const std::size_t size : {kMost, kMost / 8, kMost / 8 + 2, kMost / 16}) {
    bool failed = false;
    try {
      const Buffer buffer(size, Dtype::kFloat64);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    CHECK(failed);
  }
}

// No pool, no worker, no thread: the parts run all the same.
void parts_run_without_workers() {
  for (long left = 0; left < 6; ++left) {
    std::size_t ran = 0;
    g_left = left;
    mdbopt::parallel(
        1000, 2,
        [](void* context, std::size_t) {
          std::atomic_ref<std::size_t>(*static_cast<std::size_t*>(context)).fetch_add(1);
        },
        &ran);
    g_left = -1;
    CHECK_EQUAL(ran, std::size_t{1000});
  }
}

}  // namespace

int main() {
  parts_run_without_workers();
  for (const Case& one : cases()) any_may_fail(one);
  for (std::size_t rule = 0; rule < mdbopt::rule_count(); ++rule) {
    if (!mdbopt::rule_description(rule).update) continue;
    for (const Kind& kind : kKinds) any_of_an_updater_may_fail(rule, kind);
  }
  arrays_may_fail();
  sizes_that_overflow_fail();
  return check::result();
}
