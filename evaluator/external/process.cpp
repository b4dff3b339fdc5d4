#include "evaluator/external/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

extern char** environ;

namespace actsearch {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kLookEvery = 50;  ///< milliseconds
constexpr Seconds kDrain{0.5};  ///< how long output is read that the command's own children hold open

/// A file descriptor that is closed once.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  int get() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

struct Pipe {
  Descriptor read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "a pipe for the evaluator's output");
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
};

/// The arguments and the environment of a call in the form that the system takes.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment_of(const ProcessCall& call) {
  std::vector<std::string> words;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view word(*entry);
    const bool replaced =
        std::any_of(call.environment.begin(), call.environment.end(), [&](const auto& own) { return word.starts_with(own.first + "="); });
    if (!replaced) words.emplace_back(word);
  }
  for (const auto& [name, value] : call.environment) words.push_back(name + "=" + value);
  return words;
}

/// The log of a trial. It is only ever appended to: calls of one trial follow one another there.
class Log {
 public:
  explicit Log(const std::filesystem::path& file) {
    if (file.empty()) return;
    std::error_code none;
    const std::uintmax_t size = std::filesystem::file_size(file, none);
    if (!none) written_ = size;
    out_.open(file, std::ios::app | std::ios::binary);
  }
  void add(std::string_view text) {
    if (!out_.is_open() || full_) return;
    if (written_ + text.size() > kLogLimit) {
      full_ = true;
      out_ << "\n[the log is full: what follows is dropped]\n";
      return;
    }
    out_.write(text.data(), static_cast<std::streamsize>(text.size()));
    written_ += text.size();
  }
  void flush() { out_.flush(); }

 private:
  std::ofstream out_;
  std::uintmax_t written_ = 0;
  bool full_ = false;
};

/// The last lines of a text that comes in pieces. What is not printable becomes a dot, so that a terminal and a page can show it.
class Tail {
 public:
  void add(std::string_view text) {
    text_.append(text);
    if (text_.size() > 2 * kErrorLimit) text_.erase(0, text_.size() - kErrorLimit);
  }
  std::string text() const {
    std::string tail = text_.size() > kErrorLimit ? text_.substr(text_.size() - kErrorLimit) : text_;
    if (tail.size() == kErrorLimit) {
      const std::size_t line = tail.find('\n');  // a whole first line
      if (line != std::string::npos && line + 1 < tail.size()) tail.erase(0, line + 1);
    }
    while (!tail.empty() && (tail.back() == '\n' || tail.back() == '\r')) tail.pop_back();
    for (char& c : tail) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte != '\n' && byte != '\t' && (byte < 0x20 || byte >= 0x7f)) c = '.';
    }
    return tail;
  }

 private:
  std::string text_;
};

/// Cuts output into lines.
class Lines {
 public:
  explicit Lines(std::function<void(std::string_view line, bool whole)> each) : each_(std::move(each)) {}
  void add(std::string_view text) {
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      begun_.append(text.substr(0, end));
      give();
      in_long_ = false;
    }
    begun_.append(text);
    if (begun_.size() > kLineLimit) {
      in_long_ = true;
      give();
    }
  }
  void end() {
    if (!begun_.empty()) give();
  }

 private:
  void give() {
    const std::string line = std::exchange(begun_, {});
    each_(line, !in_long_);
  }
  std::function<void(std::string_view, bool)> each_;
  std::string begun_;
  bool in_long_ = false;
};

class Running {
 public:
  Running(const ProcessCall& call, const std::function<bool(std::string_view)>& take)
      : call_(call), log_(call.log), lines_([this, &take](std::string_view line, bool whole) {
          if (whole && take(line)) return;
          log_.add(line);
          log_.add("\n");
        }) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (group_ == 0) return;
    kill(-group_, SIGKILL);
    waitpid(group_, nullptr, 0);
  }

  ProcessEnd operator()() {
    if (const std::string why = start(); !why.empty()) return {ProcessEnd::How::kNoStart, 0, why};
    if (call_.started) call_.started(group_);
    ProcessEnd end;
    std::optional<Clock::time_point> asked, ended;
    while (out_.open() || error_.open() || !ended) {
      read_what_comes();
      const Clock::time_point now = Clock::now();
      if (!ended && has_ended()) ended = now;
      if (ended) {
        kill(-group_, SIGKILL);  // what it left behind; its own place is held until it is waited for
        if (now - *ended > kDrain) break;
        continue;
      }
      if (!asked) {
        const bool stopped = call_.stop != nullptr && *call_.stop;
        const bool late = call_.time_limit && now - begun_ > *call_.time_limit;
        if (!stopped && !late) continue;
        end.how = stopped ? ProcessEnd::How::kStopped : ProcessEnd::How::kTimeOut;
        asked = now;
        kill(-group_, SIGTERM);
      } else if (now - *asked > call_.grace) {
        kill(-group_, SIGKILL);
      }
    }
    lines_.end();
    log_.flush();
    int status = 0;
    waitpid(group_, &status, 0);
    group_ = 0;
    if (!asked && WIFSIGNALED(status)) end = {ProcessEnd::How::kSignal, WTERMSIG(status), ""};
    if (!asked && WIFEXITED(status)) end = {ProcessEnd::How::kExited, WEXITSTATUS(status), ""};
    end.error = tail_.text();
    return end;
  }

 private:
  /// Why it did not start, or nothing.
  std::string start() {
    Pipe out, error;
    const Words arguments({"sh", "-c", call_.command}), environment(environment_of(call_));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error.write.get(), STDERR_FILENO);
    sigset_t usual, none;
    sigfillset(&usual);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    const int failure = posix_spawn(&group_, "/bin/sh", &actions, &attributes, arguments.get(), environment.get());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
      group_ = 0;
      return std::string("the shell could not be started: ") + std::strerror(failure);
    }
    out_ = std::move(out.read);
    error_ = std::move(error.read);
    begun_ = Clock::now();
    return {};
  }

  void read_what_comes() {
    std::array<pollfd, 2> ready{pollfd{out_.get(), POLLIN, 0}, pollfd{error_.get(), POLLIN, 0}};  // a negative one is passed over
    if (poll(ready.data(), ready.size(), kLookEvery) <= 0) return;
    if (ready[0].revents != 0 && !read_into(out_, [this](std::string_view text) { lines_.add(text); })) out_.close();
    if (ready[1].revents != 0 && !read_into(error_, [this](std::string_view text) {
          tail_.add(text);
          log_.add(text);
        }))
      error_.close();
  }

  /// False at the end of what can be read.
  template <class Take>
  static bool read_into(const Descriptor& from, const Take& take) {
    std::array<char, 1 << 16> bytes;
    const ssize_t count = read(from.get(), bytes.data(), bytes.size());
    if (count > 0) take(std::string_view(bytes.data(), static_cast<std::size_t>(count)));
    return count > 0 || (count < 0 && errno == EINTR);
  }

  /// Looks without taking its place away: until then no other process gets its number.
  bool has_ended() const {
    siginfo_t information{};
    return waitid(P_PID, static_cast<id_t>(group_), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_pid != 0;
  }

  const ProcessCall& call_;
  Log log_;
  Lines lines_;
  Tail tail_;
  pid_t group_ = 0;
  Descriptor out_, error_;
  Clock::time_point begun_;
};

}  // namespace

ProcessEnd run_process(const ProcessCall& call, const std::function<bool(std::string_view)>& take) { return Running(call, take)(); }

namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// A field of /proc/PROCESS/stat, counted from 1 as proc(5) does; behind the program's name. Absent where there is no such process.
template <class Number>
std::optional<Number> stat_field(const fs::path& process, int field) {
  const std::string text = contents(process / "stat");
  const std::size_t name = text.rfind(')');  // a program's name may hold anything
  if (name == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name + 1));
  std::string skipped;
  constexpr int kFirst = 3;  // the one behind the name
  for (int i = kFirst; i < field; ++i) fields >> skipped;
  Number number{};
  return fields >> number ? std::optional(number) : std::nullopt;
}

/// Whether a process of the group began with the mark in its environment.
bool is_marked(pid_t group, const std::string& mark) {
  constexpr int kGroup = 5;
  const std::string wanted = '\0' + mark + '\0';
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;  // something else than a process
    if (stat_field<pid_t>(entry->path(), kGroup) != group) continue;
    if (('\0' + contents(entry->path() / "environ")).find(wanted) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::optional<std::uint64_t> process_start(pid_t process) {
  constexpr int kStart = 22;
  return stat_field<std::uint64_t>("/proc/" + std::to_string(process), kStart);
}

bool end_left_behind(pid_t group, std::uint64_t start, const std::string& mark) {
  if (group <= 1) return false;
  const auto first = process_start(group);
  if (first ? *first != start : !is_marked(group, mark)) return false;
  return kill(-group, SIGKILL) == 0;
}

}  // namespace actsearch
