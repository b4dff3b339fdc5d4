// Compiled without sanitizers: AddressSanitizer knows nothing of these stacks.
#include "tests/cuda_simulator/fibers.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <new>
#include <vector>

namespace cuda_simulator {
namespace {

constexpr std::size_t kStack = 256 * 1024, kGuard = 4096;

/// Memory that is only there once it is touched, above a page that may not be.
class Stack {
 public:
  Stack() : memory_(mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED || mprotect(memory_, kGuard, PROT_NONE) != 0) throw std::bad_alloc();
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() { munmap(memory_, kStack); }
  void* usable() const { return static_cast<char*>(memory_) + kGuard; }
  static constexpr std::size_t size() { return kStack - kGuard; }

 private:
  void* memory_;
};

}  // namespace

struct Fibers::Fiber {
  Stack stack;
  void* place[5] = {};  // of __builtin_setjmp
  bool started = false;
  unsigned int thread = 0;
};

struct Fibers::Block {
  const Module* module;
  const Kernel* kernel;
  void** arguments;
  unsigned int threads, next = 0;
  std::vector<Fiber*> waiting;  // at the barrier, in the order of arrival
};

struct Fibers::Pool {
  std::vector<std::unique_ptr<Fiber>> all;
  std::vector<Fiber*> idle;
  Fiber* running = nullptr;
  Block* block = nullptr;
  void* scheduler[5] = {};  // of __builtin_setjmp
  std::string failure;
};

Fibers::Fibers() : pool_(std::make_unique<Pool>()) {}
Fibers::~Fibers() = default;

Fibers& Fibers::of_this_thread() {
  static thread_local Fibers fibers;
  return fibers;
}

const Services& Fibers::services() {
  static constexpr Services table{&Fibers::barrier, &Fibers::fail};
  return table;
}

/// From the fiber that runs to the scheduler, for good.
__attribute__((noinline)) void Fibers::leave() { __builtin_longjmp(pool_->scheduler, 1); }

/// A fiber goes on with the next thread for as long as none has to wait.
void Fibers::body() {
  for (;;) {
    Pool& pool = *of_this_thread().pool_;
    Block& block = *pool.block;
    while (block.next < block.threads) {
      const unsigned int thread = block.next++;
      pool.running->thread = thread;
      block.module->enter(thread);
      block.kernel->call(block.arguments);
    }
    pool.idle.push_back(pool.running);
    if (__builtin_setjmp(pool.running->place) == 0) of_this_thread().leave();
  }
}

void Fibers::barrier() {
  Pool& pool = *of_this_thread().pool_;
  pool.block->waiting.push_back(pool.running);
  if (__builtin_setjmp(pool.running->place) == 0) of_this_thread().leave();
}

void Fibers::fail(const char* what, unsigned int line) {
  Pool& pool = *of_this_thread().pool_;
  pool.failure = std::string(what) + ", line " + std::to_string(line) + ", thread " + std::to_string(pool.running->thread);
  of_this_thread().leave();
}

/// From the scheduler to a fiber, until that leaves.
__attribute__((noinline)) void Fibers::resume(Fiber& fiber) {
  Pool& pool = *pool_;
  pool.running = &fiber;
  if (__builtin_setjmp(pool.scheduler) != 0) return;
  if (fiber.started) __builtin_longjmp(fiber.place, 1);
  fiber.started = true;
  ucontext_t start;
  getcontext(&start);
  start.uc_stack.ss_sp = fiber.stack.usable();
  start.uc_stack.ss_size = Stack::size();
  start.uc_link = nullptr;
  makecontext(&start, &Fibers::body, 0);
  setcontext(&start);
}

std::string Fibers::run(const Module& module, const Kernel& kernel, void** arguments, unsigned int threads) {
  Pool& pool = *pool_;
  Block block{&module, &kernel, arguments, threads, 0, {}};
  pool.block = &block;
  pool.failure.clear();
  while (block.next < threads && pool.failure.empty()) {
    if (pool.idle.empty()) {
      pool.all.push_back(std::make_unique<Fiber>());
      pool.idle.push_back(pool.all.back().get());
    }
    Fiber* const fiber = pool.idle.back();
    pool.idle.pop_back();
    resume(*fiber);
  }
  // Those that have ended count as arrived: whoever waits goes on, once all that could come have come.
  while (!block.waiting.empty() && pool.failure.empty()) {
    std::vector<Fiber*> released;
    released.swap(block.waiting);
    for (Fiber* const fiber : released) {
      module.enter(fiber->thread);
      resume(*fiber);
      if (!pool.failure.empty()) break;
    }
  }
  if (!pool.failure.empty()) {
    pool.idle.clear();
    for (const auto& fiber : pool.all) {
      fiber->started = false;
      pool.idle.push_back(fiber.get());
    }
  }
  pool.block = nullptr;
  return pool.failure;
}

}  // namespace cuda_simulator
