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

}  // namespace

const std::atomic<bool>& catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return interrupted;
}

}  // namespace actsearch
