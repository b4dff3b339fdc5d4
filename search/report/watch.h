/// A database's page and document, kept up to date while a search writes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "search/report/forms.h"
#include "search/report/kernel_time.h"
#include "search/run/heartbeat.h"

namespace actsearch {

/// What is served at one time; the texts never change.
struct Snapshot {
  std::uint64_t version = 0;  ///< grows with every change
  std::shared_ptr<const std::string> json, page;
  std::string problem;  ///< empty, or why the state is not the newest, for people
};

/// Looks at a file several times a second, and reads it where it has changed. Asks a server once a second. Safe to use from several
/// threads.
class Watch {
 public:
  /// Reads once; DatabaseError where that fails. Later trouble goes to `log` and into the snapshot.
  Watch(std::filesystem::path database, std::ostream& log);
  Snapshot snapshot() const;
  /// Waits until the state is newer than `version`, at most for `patience` or until close() is called. Returns the newest state.
  Snapshot wait_for_news(std::uint64_t version, std::chrono::milliseconds patience) const;
  /// No waiting any more.
  void close();

 private:
  /// What tells a changed file from the same one, without opening it.
  struct Stamp {
    std::uintmax_t device = 0, inode = 0;
    std::string written;  ///< sizes and times of the file and its log
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp() const;
  void look() noexcept;
  void read();
  void publish(Snapshot snapshot);

  const std::filesystem::path database_;
  std::ostream& log_;
  mutable std::mutex mutex_;  ///< around snapshot_ and closed_
  mutable std::condition_variable news_;
  Snapshot snapshot_;
  bool closed_ = false;
  // Of the watching thread alone:
  Forms forms_;
  KernelTimes times_;
  Stamp seen_;
  std::string contents_;
  std::chrono::steady_clock::time_point rest_until_{};
  std::optional<Heartbeat> watching_;  // last: it ends before what it uses
};

}  // namespace actsearch
