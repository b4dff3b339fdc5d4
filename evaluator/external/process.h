/// One run of a command: in a process group of its own, its output read line by line, and nothing of it left behind.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace actsearch {

struct ProcessCall {
  std::string command;                                           ///< for /bin/sh -c
  std::vector<std::pair<std::string, std::string>> environment;  ///< beside this process's own
  std::filesystem::path log;                                     ///< takes what the caller does not; grows up to kLogLimit; or empty
  std::optional<std::chrono::duration<double>> time_limit;
  std::chrono::duration<double> grace{10};  ///< between SIGTERM and SIGKILL
  const std::atomic<bool>* stop = nullptr;  ///< true asks for an end; or null
  std::function<void(pid_t)> started;       ///< told the process group; or empty
};

struct ProcessEnd {
  enum class How : std::uint8_t {
    kExited,   ///< by itself; `code` is its exit code
    kSignal,   ///< by a signal that this program did not send; `code` is its number
    kTimeOut,  ///< took longer than the limit
    kStopped,  ///< `stop` became true
    kNoStart   ///< the shell could not be started; `error` says why
  } how = How::kExited;
  int code = 0;
  std::string error;  ///< the last lines of standard error, up to kErrorLimit bytes of printable text
};

inline constexpr std::size_t kLineLimit = 1 << 20;        ///< a longer line is no answer: it goes to the log in pieces
inline constexpr std::uintmax_t kLogLimit = 16ULL << 20;  ///< bytes of a log; what is beyond is dropped, which the log says
inline constexpr std::size_t kErrorLimit = 2'000;         ///< bytes of ProcessEnd::error

/// Runs the command to its end. `take` gets each line of standard output, without its line end, on the calling thread; where it says
/// false the line goes to the log, as standard error does. A last line without an end counts. What `take` throws ends the command and
/// is thrown on.
///
/// At a stop or time-out the process group gets SIGTERM, and SIGKILL after the grace. When the command itself has ended, whatever it left
/// in its group is killed at once.
ProcessEnd run_process(const ProcessCall& call, const std::function<bool(std::string_view)>& take);

/// Ends what is left of a process group that an earlier run of this program started. SIGKILL goes to the group where its first process is
/// still the one that started at `start` (process_start). Where that one is gone, it goes to the group if a process of it began with
/// `mark`, "NAME=value", in its environment: another group may have the number by now. Returns whether there was one to end.
bool end_left_behind(pid_t group, std::uint64_t start, const std::string& mark);
/// When a process of this machine started, in the kernel's ticks since boot. Absent where there is none of that number.
std::optional<std::uint64_t> process_start(pid_t process);

}  // namespace actsearch
