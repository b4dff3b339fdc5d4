#include "db/owner.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace actsearch {
namespace {

struct ProcessState {
  char state = ' ';   // as in /proc/PID/stat: Z and X are dead
  std::string start;  // clock ticks since boot
};

/// Empty where there is no such process or /proc does not show it.
std::optional<ProcessState> look_at_process(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto name_end = line.rfind(')');  // the name before it may hold blanks and parentheses
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  constexpr int kStateField = 3, kStartField = 22;
  ProcessState process;
  fields >> process.state;
  for (int field = kStateField + 1; field <= kStartField; ++field) fields >> process.start;
  if (!fields) return std::nullopt;
  return process;
}

/// Of the kernel that runs now; "?" where /proc does not tell.
std::string this_boot() {
  std::string boot = "?";
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot;
}

/// host/boot/pid-namespace: within it, a pid means the same process to all.
std::string this_machine() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  const std::string boot = this_boot();
  std::error_code ignored;  // without /proc the link stays empty, and every process counts as alive
  const std::string pid_namespace = std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
  return std::string(host.data()) + "/" + boot + "/" + pid_namespace;
}

constexpr std::string_view kTicket = "ticket";
constexpr std::int64_t kLongestLease = 100'000'000'000;  // seconds: what is longer is a damaged text
constexpr std::string_view kJudged = "judged", kUnjudged = "unjudged";

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string ticket_owner(const TicketTerms& terms) {
  return std::string(kTicket) + "/" + this_boot() + "/" + std::to_string(terms.study) + "/" + std::to_string(terms.lease.count()) + "/" +
         std::string(terms.judged ? kJudged : kUnjudged);
}

std::optional<TicketTerms> ticket_terms(std::string_view owner) {
  std::array<std::string_view, 5> parts;  // ticket/boot/study/lease/judged
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t end = i + 1 < parts.size() ? owner.find('/') : owner.size();
    if (end == std::string_view::npos) return std::nullopt;
    parts.at(i) = owner.substr(0, end);
    owner.remove_prefix(std::min(end + 1, owner.size()));
  }
  const auto study = number_of<Id>(parts[2]);
  const auto lease = number_of<std::int64_t>(parts[3]);
  if (parts[0] != kTicket || !study || !lease || *lease < 0 || *lease > kLongestLease) return std::nullopt;
  if (parts[4] != kJudged && parts[4] != kUnjudged) return std::nullopt;
  return TicketTerms{*study, std::chrono::seconds(*lease), parts[4] == kJudged};
}

std::string new_owner() {
  static std::atomic<std::uint64_t> counter{0};
  const auto self = look_at_process("self");
  return this_machine() + "/" + std::to_string(getpid()) + "/" + (self ? self->start : "?") + "/" + std::to_string(++counter);
}

bool owner_is_gone(std::string_view owner) {
  const std::string machine = this_machine() + "/";
  if (!owner.starts_with(machine)) return false;
  const std::string process(owner.substr(machine.size()));  // pid/start/counter
  const auto pid_end = process.find('/'), start_end = process.find('/', pid_end + 1);
  if (pid_end == std::string::npos || start_end == std::string::npos) return false;
  pid_t pid = 0;
  const auto parsed = std::from_chars(process.data(), process.data() + pid_end, pid);
  if (parsed.ec != std::errc() || parsed.ptr != process.data() + pid_end || pid <= 0) return false;
  if (kill(pid, 0) != 0 && errno == ESRCH) return true;
  const auto found = look_at_process(process.substr(0, pid_end));
  if (!found) return false;
  return found->state == 'Z' || found->state == 'X' || found->start != process.substr(pid_end + 1, start_end - pid_end - 1);
}

bool shares_boot_clock(std::string_view owner) {
  const auto host_end = owner.find('/');
  if (host_end == std::string_view::npos) return false;
  const std::string boot = this_boot();
  return boot != "?" && owner.substr(host_end + 1).starts_with(boot + "/");
}

std::int64_t boot_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

}  // namespace actsearch
