/// The program run as people run it: a process with its two streams, or one to be killed.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/search/support.h"

namespace actsearch::testing {

/// A running actsearch; its streams go to files. The destructor kills it if it still runs.
class Process {
 public:
  Process(const std::filesystem::path& directory, const std::vector<std::string>& words)
      : out_(directory / "stdout"), err_(directory / "stderr") {
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) start(words);
  }
  ~Process() {
    if (pid_ > 0) kill(SIGKILL), wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void kill(int signal) const { ::kill(pid_, signal); }
  /// Waits for its end.
  Ran wait() {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) throw std::runtime_error("waitpid failed");
    pid_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_text(out_), read_text(err_)};
  }
  std::string err() const { return read_text(err_); }  ///< so far

 private:
  [[noreturn]] void start(const std::vector<std::string>& words) const {
    std::vector<char*> arguments{const_cast<char*>(ACTSEARCH_PROGRAM)};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    dup2(open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    dup2(open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    unsetenv("ACTSEARCH_DATA");
    execv(ACTSEARCH_PROGRAM, arguments.data());
    _exit(127);
  }

  std::filesystem::path out_, err_;
  pid_t pid_ = -1;
};

inline Ran run_program(const std::filesystem::path& directory, const std::vector<std::string>& words) {
  return Process(directory, words).wait();
}

}  // namespace actsearch::testing
