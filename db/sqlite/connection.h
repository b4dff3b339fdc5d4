/// SQLite behind three small owners: a connection, a statement in use, a transaction. Nothing else in the project sees sqlite3.h.
///
/// Not thread-safe: File holds its lock around them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/records.h"

struct sqlite3;
struct sqlite3_stmt;

namespace actsearch::sqlite {

enum class Cause : std::uint8_t {
  kStatement,   ///< the SQL text, or what it asks for
  kLocked,      ///< another connection holds the file
  kCannotOpen,  ///< the file, or the files SQLite needs beside it, cannot be opened or written
  kOther
};

/// A failed call: what() names file, call, code and text, and what to do; reason() is SQLite's text alone.
class Error : public DatabaseError {
 public:
  Error(const std::string& message, Cause cause, std::string reason) : DatabaseError(message), cause_(cause), reason_(std::move(reason)) {}
  Cause cause() const { return cause_; }
  const std::string& reason() const { return reason_; }
  bool busy() const override { return cause_ == Cause::kLocked; }

 private:
  Cause cause_;
  std::string reason_;
};

class Connection;

/// A prepared statement in use, with its values bound (from ?1). The connection keeps it prepared; when this object goes, the
/// statement is reset, which ends its read transaction. Columns count from 0. Must not outlive its connection.
class Statement {
 public:
  template <class... Values>
  Statement(Connection& connection, sqlite3_stmt* statement, const Values&... values) : connection_(connection), statement_(statement) {
    [[maybe_unused]] int index = 0;
    (bind(++index, values), ...);
  }
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  bool step();             ///< true: there is a row
  bool is_select() const;  ///< reads only, and is no EXPLAIN
  int columns() const;
  std::string column_name(int column) const;
  bool is_null(int column) const;
  bool is_finite_number(int column) const;
  std::int64_t integer(int column) const;
  std::optional<double> real(int column) const;
  std::string text(int column) const;  ///< numbers printed; a blob as x'…'

 private:
  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, std::int64_t{value}); }
  void bind(int index, std::uint64_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, double value);  ///< NaN becomes NULL
  void bind(int index, std::string_view value);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value) bind(index, *value);
  }

  Connection& connection_;
  sqlite3_stmt* statement_;
};

/// One open file, with its prepared statements.
class Connection {
 public:
  enum class Mode : std::uint8_t {
    kCreate,
    kReadOnly,
    kImmutable  ///< read-only, without locks and without files beside it: nobody may write the file meanwhile
  };
  /// Calls wait `busy_timeout` for a lock of another connection before they fail, or ask whether to wait on (when_busy).
  Connection(const std::filesystem::path& file, Mode mode, std::chrono::milliseconds busy_timeout);
  /// A copy in memory of what `source` holds now, under the name of its file. Writing to it changes no file.
  static std::unique_ptr<Connection> copy_in_memory(Connection& source);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Exactly one statement of SQL; kept prepared for the next time. The same text must not be in use twice at a time.
  template <class... Values>
  Statement prepare(std::string_view sql, const Values&... values) {
    return Statement(*this, prepared(sql), values...);
  }
  /// Runs one statement to its end; the number of rows changed by it.
  template <class... Values>
  std::int64_t run(std::string_view sql, const Values&... values) {
    prepare(sql, values...).step();
    return changes();
  }
  void execute(const std::string& script);  ///< any number of statements without values
  Id last_insert_id() const;
  bool read_only() const;
  /// Asked each time that a call has waited `busy_timeout`: true to wait as long once more. Called within the call that waits.
  void when_busy(std::function<bool()> wait_on) { patience_->wait_on = std::move(wait_on); }
  void refuse_writing();     ///< from now on every change fails as it does in a read-only file
  void allow_only_select();  ///< from now on only SELECT compiles, without PRAGMA functions and extensions
  const std::filesystem::path& file() const { return file_; }
  [[noreturn]] void fail(std::string_view call) const;  ///< throws Error for the call that failed last

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  /// How long a call waits for a lock. At a place of its own, for SQLite holds its address.
  struct Patience {
    std::chrono::milliseconds wait{0};
    std::chrono::steady_clock::time_point since{};  ///< of the wait in progress
    std::function<bool()> wait_on;
  };
  static int on_busy(void* patience, int calls);
  Connection(std::filesystem::path file, sqlite3* handle) : file_(std::move(file)), handle_(handle) {}
  sqlite3_stmt* prepared(std::string_view sql);
  std::int64_t changes() const;

  std::filesystem::path file_;
  std::unique_ptr<Patience> patience_ = std::make_unique<Patience>();
  std::unique_ptr<sqlite3, Close> handle_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

/// A write transaction, holding the write lock from its start; undone unless committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) { connection.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { connection_.execute("COMMIT"); }

 private:
  Connection& connection_;
};

}  // namespace actsearch::sqlite
