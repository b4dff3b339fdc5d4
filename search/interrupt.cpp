#include "search/interrupt.h"

#include <signal.h>
#include <unistd.h>

namespace actsearch {
namespace {

std::atomic<bool> interrupted{false};  // a signal handler reaches nothing but globals
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_signal(int) {
  if (interrupted.exchange(true)) _exit(kInterruptedExit);
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

const std::atomic<bool>& catch_interrupts() {
  handle(on_signal);
  return interrupted;
}

}  // namespace actsearch
