/// Ctrl-C: the first asks for an end, the second ends at once.
#pragma once

#include <atomic>

namespace actsearch {

inline constexpr int kInterruptedExit = 130;

/// Catches SIGINT and SIGTERM from here on: the first sets the flag that is returned, the next ends the process with exit code 130.
const std::atomic<bool>& catch_interrupts();

}  // namespace actsearch
