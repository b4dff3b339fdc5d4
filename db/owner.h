/// Who holds a claim: a text that names a process so that others on the same machine can see whether it still lives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace actsearch {

/// A new owner in this process: host/boot/pid-namespace/pid/start/counter. `start` is the process's start in clock ticks since
/// boot, so that a reused pid is told apart; the counter is one more for each call.
std::string new_owner();

/// True if the owner's process ran on this machine (same host, boot and pid namespace) and is certainly gone. A process elsewhere, or
/// one that cannot be looked at, is never gone: its lease decides.
bool owner_is_gone(std::string_view owner);

/// True if the owner's process runs, or ran, under the kernel that runs now: then both read the same boot_clock_ms.
bool shares_boot_clock(std::string_view owner);

/// Milliseconds since the machine was started, those included in which it was suspended (CLOCK_BOOTTIME). Nobody can set this clock.
std::int64_t boot_clock_ms();

}  // namespace actsearch
