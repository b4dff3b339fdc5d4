/// The holder of a claim, as a text. It names a process, so that others on the same machine can see whether that still lives; or it names a
/// ticket, which lives as long as its lease.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/tickets.h"

namespace actsearch {

/// A new owner in this process: host/boot/pid-namespace/pid/start/counter. `start` is the process's start in clock ticks since
/// boot, so that a reused pid is told apart; the counter is one more for each call.
std::string new_owner();

/// True if the owner's process ran on this machine (same host, boot and pid namespace) and is certainly gone. A process elsewhere, or
/// one that cannot be looked at, is never gone: its lease decides.
bool owner_is_gone(std::string_view owner);

/// The owner of a claim that a ticket holds: ticket/boot/study/lease/judged. It is never gone. `boot` names the machine that handed the
/// trial out. That machine judges the lease by boot_clock_ms until its next start. All others judge it by the wall clock.
std::string ticket_owner(const TicketTerms& terms);
/// Absent where the owner is no ticket.
std::optional<TicketTerms> ticket_terms(std::string_view owner);

/// True if the owner's process runs, or ran, under the kernel that runs now, or if its ticket was handed out there. Then boot_clock_ms is
/// one clock for both.
bool shares_boot_clock(std::string_view owner);

/// Milliseconds since the machine was started, including the time for which it was suspended (CLOCK_BOOTTIME). Nobody can set this clock.
std::int64_t boot_clock_ms();

}  // namespace actsearch
