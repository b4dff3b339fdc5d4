/// What a run does while another process keeps its store locked: it waits on, and says so.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>

#include "db/store.h"
#include "search/run/progress.h"

namespace actsearch {

/// While it lives, calls of the store that find it locked wait on until an interrupt. Any thread may call say().
class Patience {
 public:
  Patience(Store& database, Progress& progress, const std::atomic<bool>& interrupt);
  ~Patience() { database_.when_busy(nullptr); }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  void say();  ///< at most once a minute

 private:
  Store& database_;
  Progress& progress_;
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> said_;
};

}  // namespace actsearch
