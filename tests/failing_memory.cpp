// failing_memory – allocations that end on demand: to be loaded before a program (LD_PRELOAD).
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> g_left{-1};  // allocations that are still granted; below 0: all
std::atomic<long> g_refused{0};

bool refuses() {
  long left = g_left.load();
  if (left < 0) return false;
  while (left > 0 && !g_left.compare_exchange_weak(left, left - 1)) {
  }
  if (left > 0) return false;
  ++g_refused;
  return true;
}

}  // namespace

extern "C" void grant_allocations(long count) {
  g_refused = 0;
  g_left = count;
}
extern "C" long refused_allocations() {
  g_left = -1;
  return g_refused;
}

void* operator new(std::size_t bytes) {
  void* memory = refuses() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  static auto* const real =
      reinterpret_cast<void* (*)(std::size_t, std::size_t)>(dlsym(RTLD_NEXT, "aligned_alloc"));
  return refuses() ? nullptr : real(alignment, bytes);
}
