/// SQLite behind the interface of db/sql/connection.h. Nothing else in the project sees sqlite3.h.
///
/// Not thread-safe: File holds its lock around them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "db/sql/connection.h"

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

using Transaction = sql::Transaction;

/// One open file, with its prepared statements.
class Connection : public sql::Connection {
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
  ~Connection() override;

  void execute(const std::string& script) override;
  sql::Clock clock() override;
  std::string_view for_update() const override { return ""; }
  Id last_insert_id() const;
  bool is_select(std::string_view sql);  ///< whether the one statement reads only, and is no EXPLAIN
  bool read_only() const;
  /// Asked each time that a call has waited `busy_timeout`: true to wait as long once more. Called within the call that waits.
  void when_busy(std::function<bool()> wait_on) { patience_->wait_on = std::move(wait_on); }
  void refuse_writing();     ///< from now on every change fails as it does in a read-only file
  void allow_only_select();  ///< from now on only SELECT compiles, without PRAGMA functions and extensions
  const std::filesystem::path& file() const { return file_; }
  [[noreturn]] void fail(std::string_view call) const;  ///< throws Error for the call that failed last

 private:
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
  std::unique_ptr<sql::Rows> start(std::string_view sql, std::span<const sql::Value> values) override;
  std::int64_t changes() const override;
  void begin() override { execute("BEGIN IMMEDIATE"); }
  void commit() override { execute("COMMIT"); }
  void roll_back() noexcept override;

  std::filesystem::path file_;
  std::unique_ptr<Patience> patience_ = std::make_unique<Patience>();
  std::unique_ptr<sqlite3, Close> handle_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

}  // namespace actsearch::sqlite
