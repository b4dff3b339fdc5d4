/// An open database file and the lock around its connection: what the parts of a SqliteStore share.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "db/sqlite/connection.h"
#include "db/store.h"

namespace actsearch::sqlite {

/// What `of` makes of each row that the statement gives, in the statement's order.
template <class Of, class... Values>
auto rows(Connection& connection, std::string_view sql, Of&& of, const Values&... values) {
  std::vector<std::decay_t<std::invoke_result_t<Of&, const Statement&>>> all;
  auto row = connection.prepare(sql, values...);
  while (row.step()) all.push_back(of(std::as_const(row)));
  return all;
}
/// What `of` makes of the statement's first row; absent where it gives none.
template <class Of, class... Values>
auto first_row(Connection& connection, std::string_view sql, Of&& of, const Values&... values) {
  auto row = connection.prepare(sql, values...);
  using Row = std::decay_t<std::invoke_result_t<Of&, const Statement&>>;
  return row.step() ? std::optional<Row>(of(std::as_const(row))) : std::nullopt;
}

inline std::int64_t integer_of(const Statement& row) { return row.integer(0); }
inline std::uint64_t seed_of(const Statement& row) { return static_cast<std::uint64_t>(row.integer(0)); }
inline std::string text_of(const Statement& row) { return row.text(0); }

/// Any thread may use it: each call has the connection to itself.
class File {
 public:
  /// Opens, creating and migrating where asked to write (WAL, synchronous=FULL). Calls wait at most `busy_timeout` for another process's
  /// lock, and then ask `when_busy`.
  File(const std::filesystem::path& path, Store::Access access, std::chrono::milliseconds busy_timeout);

  /// Calls `body` with the connection.
  template <class Body>
  auto with(Body&& body) {
    const std::lock_guard lock(mutex_);
    return body(*connection_);
  }
  /// For threads that train: `body` gets mutex and file within `busy_timeout`, or a DatabaseError that is busy() comes.
  template <class Body>
  auto with_in_haste(Body&& body) {
    const Hasty lock(*this);
    return body(*connection_);
  }
  template <class Of, class... Values>
  auto rows(std::string_view sql, Of&& of, const Values&... values) {
    return with([&](Connection& connection) { return sqlite::rows(connection, sql, of, values...); });
  }
  template <class Of, class... Values>
  auto first_row(std::string_view sql, Of&& of, const Values&... values) {
    return with([&](Connection& connection) { return sqlite::first_row(connection, sql, of, values...); });
  }

  void when_busy(std::function<bool()> wait_on);  ///< as Store::when_busy
  const std::filesystem::path& path() const { return path_; }
  std::chrono::milliseconds busy_timeout() const { return busy_timeout_; }

 private:
  class Hasty {
   public:
    explicit Hasty(File& file);
    ~Hasty() { file_.may_wait_on_ = true; }
    Hasty(const Hasty&) = delete;
    Hasty& operator=(const Hasty&) = delete;

   private:
    std::unique_lock<std::mutex> lock_;
    File& file_;
  };

  std::filesystem::path path_;
  std::chrono::milliseconds busy_timeout_;
  std::mutex mutex_;  ///< held around every use of what follows
  std::unique_ptr<Connection> connection_;
  std::function<bool()> wait_on_;
  bool may_wait_on_ = true;  ///< false within a call that must not hold up training
};

}  // namespace actsearch::sqlite
