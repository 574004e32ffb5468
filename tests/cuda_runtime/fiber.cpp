// fiber – switches stacks and tells the sanitizers.
#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "emulated.h"
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace emulated {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStackBytes = 256 * 1024;
#else
constexpr std::size_t kStackBytes = 64 * 1024;
#endif

// --- contexts ------------------------------------------------------------------------------------
#if defined(__x86_64__)
// Unlike swapcontext, it leaves the signal mask alone, which costs a system call.
extern "C" void emulated_switch(void** from, void* to) __attribute__((visibility("hidden")));
asm(R"(
.pushsection .text
.globl emulated_switch
.hidden emulated_switch
.type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch, .-emulated_switch
.popsection
)");

struct Context {
  void* top = nullptr;

  void prepare(std::byte* stack, void (*entry)()) {
    constexpr std::size_t kSaved = 6;
    // The entry's own return address is null, where an unwinder stops.
    void** words = reinterpret_cast<void**>(stack + kStackBytes) - (kSaved + 2);
    std::memset(words, 0, (kSaved + 2) * sizeof *words);
    words[kSaved] = reinterpret_cast<void*>(entry);
    top = words;
  }
  static void change(Context& from, Context& to) { emulated_switch(&from.top, to.top); }
};
#else
struct Context {
  ucontext_t context;

  void prepare(std::byte* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  static void change(Context& from, Context& to) { swapcontext(&from.context, &to.context); }
};
#endif

}  // namespace

struct Fiber {
  Context context;
  void (*entry)() = nullptr;
  void* fake_stack = nullptr;  // AddressSanitizer's
  const void* stack = nullptr;
  std::size_t bytes = 0;
  void* thread = nullptr;  // ThreadSanitizer's
};

namespace {

// The host's thread differs from call to call; only one is at work.
Fiber host;
Fiber* running = nullptr;

// Tells AddressSanitizer that the fiber goes on. It names the stack that was left, to a fiber the
// host's.
void arrive([[maybe_unused]] Fiber& fiber) {
#ifdef __SANITIZE_ADDRESS__
  const void* stack = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fiber.fake_stack, &stack, &bytes);
  if (&fiber != &host) {
    host.stack = stack;
    host.bytes = bytes;
  }
#endif
}

void change(Fiber& from, Fiber& to) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.bytes);
#endif
#ifdef __SANITIZE_THREAD__
  __tsan_switch_to_fiber(to.thread, 0);
#endif
  Context::change(from.context, to.context);
  arrive(from);
}

void begin() {
  arrive(*running);
  running->entry();
}

}  // namespace

Fiber* new_fiber(void (*entry)()) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, page + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) die("there is no memory for a thread's stack");
  // A stack grows down, into the guard.
  if (mprotect(memory, page, PROT_NONE) != 0) die("a thread's stack has no guard");
  std::byte* stack = static_cast<std::byte*>(memory) + page;
  Fiber* fiber = new Fiber;
  fiber->entry = entry;
  fiber->stack = stack;
  fiber->bytes = kStackBytes;
#ifdef __SANITIZE_THREAD__
  fiber->thread = __tsan_create_fiber(0);
#endif
  fiber->context.prepare(stack, &begin);
  return fiber;
}

void enter(Fiber& fiber) {
#ifdef __SANITIZE_THREAD__
  host.thread = __tsan_get_current_fiber();
#endif
  running = &fiber;
  change(host, fiber);
}

void leave() { change(*running, host); }

}  // namespace emulated
