/// Ctrl-C ends a command at once. Where there is something to keep, the first Ctrl-C asks for an end, and a second one ends at once.
#pragma once

#include <atomic>

namespace actsearch {

inline constexpr int kInterruptedExit = 130;

/// From here on SIGINT and SIGTERM end the process with a line on standard error and exit code 130: for commands that hold nothing.
void end_on_interrupts();

/// Catches SIGINT and SIGTERM from here on: the first sets the flag that is returned, the next ends the process with exit code 130. What
/// comes within a third of a second of the first counts as the first: `timeout` and terminals send some signals twice.
const std::atomic<bool>& catch_interrupts();

/// From here on a write beyond a limit on file sizes (ulimit -f) fails like one on a full disk, rather than ending the process.
void ignore_file_size_signal();

}  // namespace actsearch
