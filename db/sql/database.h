/// A connection and the lock around it: what the parts of a SqlStore share.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "db/sql/connection.h"

namespace actsearch::sql {

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

/// The answer to a question in SQL (Queries::query). QueryError for more than `row_limit` rows.
Table table_of(Statement& row, std::size_t row_limit);

/// Any thread may use it: each call has the connection to itself.
class Database {
 public:
  /// Calls wait at most `busy_timeout` for another process's lock, or for a server that is away, and then ask `when_busy`.
  explicit Database(std::chrono::milliseconds busy_timeout) : busy_timeout_(busy_timeout) {}
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Calls `body` with the connection. Where the connection was lost, or a transaction met another's, `body` is called again from its
  /// start: what it did is then undone, unless the connection was lost while it committed. `body` may ask again() for that.
  template <class Body>
  auto with(Body&& body) {
    const std::lock_guard lock(mutex_);
    return tried(body);
  }
  /// For threads that train: `body` gets mutex and connection within `busy_timeout`, or a DatabaseError that is busy() comes.
  template <class Body>
  auto with_in_haste(Body&& body) {
    const Hasty lock(*this);
    return tried(body);
  }
  template <class Of, class... Values>
  auto rows(std::string_view sql, Of&& of, const Values&... values) {
    return with([&](Connection& connection) { return sql::rows(connection, sql, of, values...); });
  }
  template <class Of, class... Values>
  auto first_row(std::string_view sql, Of&& of, const Values&... values) {
    return with([&](Connection& connection) { return sql::first_row(connection, sql, of, values...); });
  }
  /// Within a body: whether it was called before, so that its own earlier call may have changed what it finds.
  bool again() const { return tries_ > 1; }

  void when_busy(std::function<bool()> wait_on);  ///< as Store::when_busy
  virtual std::string identity() = 0;             ///< equal texts are one database, by whatever name it was opened
  std::chrono::milliseconds busy_timeout() const { return busy_timeout_; }

 protected:
  virtual std::string name() const = 0;  ///< for messages
  virtual Connection& connection() = 0;
  /// After `error`: returns when the body may be called again, or false if the error is the answer. `tries` were made since `since`.
  virtual bool try_again(const DatabaseError& error, int tries, std::chrono::steady_clock::time_point& since) = 0;
  bool wait_on() const { return may_wait_on_ && wait_on_ && wait_on_(); }

 private:
  class Hasty {
   public:
    explicit Hasty(Database& database);
    ~Hasty() { database_.may_wait_on_ = true; }
    Hasty(const Hasty&) = delete;
    Hasty& operator=(const Hasty&) = delete;

   private:
    std::unique_lock<std::mutex> lock_;
    Database& database_;
  };

  template <class Body>
  auto tried(Body& body) {
    auto since = std::chrono::steady_clock::now();
    for (tries_ = 1;; ++tries_) {
      try {
        return body(connection());
      } catch (const DatabaseError& error) {
        if (!try_again(error, tries_, since)) throw;
      }
    }
  }

  std::chrono::milliseconds busy_timeout_;
  std::mutex mutex_;  ///< held around every use of the connection and of what follows
  std::function<bool()> wait_on_;
  bool may_wait_on_ = true;  ///< false within a call that must not hold up training
  int tries_ = 1;            ///< of the body that runs
};

}  // namespace actsearch::sql
