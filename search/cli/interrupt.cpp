#include "search/cli/interrupt.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

namespace actsearch {
namespace {

// A signal handler reaches nothing but globals.
std::atomic<bool> interrupted{false};
std::atomic<std::int64_t> first_at{0};  // milliseconds
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

std::int64_t now_in_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

extern "C" void on_signal(int) {
  constexpr std::int64_t kTheSame = 333;
  const std::int64_t now = now_in_milliseconds();
  std::int64_t none = 0;
  const bool is_first = first_at.compare_exchange_strong(none, now);
  if (!is_first && now - none > kTheSame) _exit(kInterruptedExit);
  interrupted = true;
}

extern "C" void end_at_once(int) {
  constexpr char kLine[] = "\nactsearch: interrupted\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kLine, sizeof kLine - 1);
  _exit(kInterruptedExit);
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

void end_on_interrupts() { handle(end_at_once); }

void ignore_file_size_signal() { signal(SIGXFSZ, SIG_IGN); }

const std::atomic<bool>& catch_interrupts() {
  handle(on_signal);
  return interrupted;
}

}  // namespace actsearch
