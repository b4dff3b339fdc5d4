// One run of a command, well-behaved or not.

#include "evaluator/external/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;
using How = ProcessEnd::How;

class Processes : public ::testing::Test {
 protected:
  ProcessEnd run(const std::string& command) {
    call_.command = command;
    return run_process(call_, [this](std::string_view line) {
      lines_.emplace_back(line);
      return !line.starts_with("log");
    });
  }
  /// The number of a process that a command wrote to a file.
  pid_t written(const std::string& name) const { return std::stoi(read_text(directory_.path() / name)); }
  /// Whether a process is gone, or as good as: dead and not waited for.
  static bool ends(pid_t process) {
    for (int i = 0; i < 200; ++i) {
      const std::string stat = std::filesystem::exists("/proc/" + std::to_string(process) + "/stat")
                                   ? read_text("/proc/" + std::to_string(process) + "/stat")
                                   : ") Z";
      if (stat.substr(stat.rfind(')')).starts_with(") Z")) return true;
      std::this_thread::sleep_for(20ms);
    }
    return false;
  }

  TemporaryDirectory directory_;
  ProcessCall call_;
  std::vector<std::string> lines_;
};

TEST_F(Processes, GiveTheirLinesAndTheRestToTheLog) {
  call_.log = directory_.path() / "log";
  call_.environment = {{"OWN", "it is"}};
  const ProcessEnd end = run("echo \"$OWN\"; echo log this; echo wrong >&2; printf half; exit 3");
  EXPECT_EQ(end.how, How::kExited);
  EXPECT_EQ(end.code, 3);
  EXPECT_EQ(end.error, "wrong");
  EXPECT_EQ(lines_, (std::vector<std::string>{"it is", "log this", "half"}));
  const std::string log = read_text(call_.log);
  EXPECT_NE(log.find("log this\n"), std::string::npos) << log;
  EXPECT_NE(log.find("wrong\n"), std::string::npos) << log;
}

TEST_F(Processes, ThatDoNotExistAreAnExitCode) {
  const ProcessEnd end = run("no-such-command-anywhere --x");
  EXPECT_EQ(end.code, 127);
  EXPECT_NE(end.error.find("no-such-command-anywhere"), std::string::npos) << end.error;
}

TEST_F(Processes, EndByASignal) {
  const ProcessEnd end = run("kill -SEGV $$");
  EXPECT_EQ(end.how, How::kSignal);
  EXPECT_EQ(end.code, SIGSEGV);
}

TEST_F(Processes, AreEndedWhenTheirTimeIsUpThoughTheyIgnoreIt) {
  call_.time_limit = 300ms;
  call_.grace = 200ms;
  const std::string file = (directory_.path() / "pid").string();
  const ProcessEnd end = run("trap '' TERM; echo $$ > " + file + "; while :; do sleep 0.05; done");
  EXPECT_EQ(end.how, How::kTimeOut);
  EXPECT_TRUE(ends(written("pid")));
}

TEST_F(Processes, AreAskedToEndAndMayTidyUp) {
  std::atomic<bool> stop{false};
  call_.stop = &stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(300ms);
    stop = true;
  });
  const ProcessEnd end = run("trap 'echo saved; exit 0' TERM; while :; do sleep 0.05; done");
  EXPECT_EQ(end.how, How::kStopped);
  EXPECT_EQ(lines_, std::vector<std::string>{"saved"});
}

TEST_F(Processes, LeaveNoChildrenBehind) {
  const std::string file = (directory_.path() / "pid").string();
  const ProcessEnd end = run("(trap '' TERM HUP; sleep 600) & echo $! > " + file + "; echo done");
  EXPECT_EQ(end.how, How::kExited);
  EXPECT_TRUE(ends(written("pid")));
}

TEST_F(Processes, FloodWithinBounds) {
  call_.log = directory_.path() / "log";
  const ProcessEnd end =
      run("head -c 40000000 /dev/zero | tr '\\0' 'a'; echo; yes 'log line' | head -n 3000000; yes wrong | head -n 100000 >&2; echo last");
  EXPECT_EQ(end.how, How::kExited);
  ASSERT_FALSE(lines_.empty());
  EXPECT_EQ(lines_.back(), "last");
  for (const std::string& line : lines_) ASSERT_LE(line.size(), kLineLimit + (1 << 16));
  EXPECT_LE(std::filesystem::file_size(call_.log), kLogLimit + 100);
  EXPECT_LE(end.error.size(), kErrorLimit);
}

TEST_F(Processes, WhatIsThrownOfALineEndsThem) {
  const std::string file = (directory_.path() / "pid").string();
  call_.command = "echo $$ > " + file + "; echo line; sleep 600";
  EXPECT_THROW(run_process(call_, [](std::string_view) -> bool { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_TRUE(ends(written("pid")));
}

TEST_F(Processes, ThatWereLeftBehindAreToldByTheirStart) {
  std::jthread later;
  pid_t group = 0;
  call_.started = [&](pid_t started) {
    group = started;
    const auto start = process_start(started);
    ASSERT_TRUE(start);
    EXPECT_FALSE(end_left_behind(started, *start + 1, "MARK=other")) << "another process";
    EXPECT_TRUE(end_left_behind(started, *start, "MARK=other"));
  };
  EXPECT_EQ(run("sleep 600").how, How::kSignal);
  EXPECT_FALSE(process_start(group).has_value());
}

TEST_F(Processes, ThatOutliveTheFirstOfTheirGroupAreToldByTheirEnvironment) {
  // A group whose first process has been killed and waited for, as init does it: the number names no process any more.
  const std::string file = (directory_.path() / "pid").string();
  const std::string script = "sleep 600 & echo $! > '" + file + ".part' && mv '" + file + ".part' '" + file + "'; wait";
  const pid_t group = fork();
  ASSERT_GE(group, 0);
  if (group == 0) {
    setpgid(0, 0);
    setenv("MARK", "this trial", 1);
    execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    _exit(127);
  }
  while (!std::filesystem::exists(file)) std::this_thread::sleep_for(10ms);
  const pid_t child = written("pid");
  const std::uint64_t start = process_start(group).value_or(0);
  kill(group, SIGKILL);
  waitpid(group, nullptr, 0);
  ASSERT_FALSE(process_start(group).has_value());
  ASSERT_TRUE(process_start(child).has_value());

  EXPECT_FALSE(end_left_behind(group, start, "MARK=this")) << "a part of a value is another value";
  EXPECT_FALSE(end_left_behind(group, start, "MARK=another trial"));
  EXPECT_TRUE(end_left_behind(group, start, "MARK=this trial"));
  EXPECT_TRUE(ends(child));
}

}  // namespace
}  // namespace actsearch::testing
