// allocations – each one may fail: then an exception says so, and nothing is lost or broken.
#include <atomic>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "engine/pool.h"
#include "searches.h"

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

// Of the arrays.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  void* memory = nullptr;
  if (fails() || posix_memalign(&memory, alignment, size) != 0) return nullptr;
  return memory;
}

namespace {

// Makes a search and goes some steps; true when the allocation after so many failed.
bool fails_after(long allocations, const Case& one, std::size_t threads) {
  Quadratic<double> problem(kSize);
  Options options = options_of(one);
  options.execution.threads = threads;
  g_left = allocations;
  try {
    const auto search = make(options);
    problem.begin(*search);
    for (int k = 0; k < 12 && !search->converged(1e-8); ++k) problem.step(*search);
    const Buffer copy = search->x();
    Buffer other;
    other = copy;
  } catch (const std::bad_alloc&) {
    return true;
  }
  const bool failed = g_left < 0 && allocations >= 0;
  g_left = -1;
  return failed;
}

void any_may_fail(const Case& one) {
  long count = 0;
  while (fails_after(count, one, 1)) ++count;
  CHECK(count > 10);
  CHECK(!fails_after(-1, one, 1));
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
  sizes_that_overflow_fail();
  return check::result();
}
