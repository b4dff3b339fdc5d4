/// Who holds a claim: a text that names a process, so that others on the same machine can see whether it still lives, or a ticket, which
/// lives as long as its lease.
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

/// The owner of a claim that a ticket holds: ticket/boot/study/lease/judged. It is never gone. `boot` is of the machine that handed the
/// trial out: there its lease is judged by boot_clock_ms until the next start, and elsewhere by the wall clock.
std::string ticket_owner(const TicketTerms& terms);
/// Absent where the owner is no ticket.
std::optional<TicketTerms> ticket_terms(std::string_view owner);

/// True if the owner's process runs, or ran, under the kernel that runs now, or its ticket was given out there: then both read the same
/// boot_clock_ms.
bool shares_boot_clock(std::string_view owner);

/// Milliseconds since the machine was started, those included in which it was suspended (CLOCK_BOOTTIME). Nobody can set this clock.
std::int64_t boot_clock_ms();

}  // namespace actsearch
