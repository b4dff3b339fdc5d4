/// A thread that does something small again and again until it is destroyed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace actsearch {

/// Calls `beat` every `period` on a thread of its own; the destructor waits for the call in progress. `beat` does not throw.
class Heartbeat {
 public:
  Heartbeat(std::chrono::milliseconds period, std::function<void()> beat);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace actsearch
