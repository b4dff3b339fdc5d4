/// PostgreSQL behind the interface of db/sql/connection.h, through libpq. Nothing else in the project sees libpq-fe.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "db/sql/connection.h"

struct pg_conn;

namespace actsearch::postgresql {

enum class Cause : std::uint8_t {
  kStatement,  ///< the SQL text, or what it asks for
  kLost,       ///< the connection, or the server behind it: a later try may work
  kLocked,     ///< another connection holds a row or the schema for too long
  kConflict,   ///< two transactions met: the same again works
  kOther
};

/// A failed call: what() names server and database, the call's reason, and what to do; reason() is PostgreSQL's text alone. Neither has a
/// password.
class Error : public DatabaseError {
 public:
  Error(const std::string& message, Cause cause, std::string reason) : DatabaseError(message), cause_(cause), reason_(std::move(reason)) {}
  Cause cause() const { return cause_; }
  const std::string& reason() const { return reason_; }
  bool busy() const override { return cause_ == Cause::kLost || cause_ == Cause::kLocked; }

 private:
  Cause cause_;
  std::string reason_;
};

/// One session, with its prepared statements. Numbers pass as the shortest decimal text that reads back as the same bits.
class Connection : public sql::Connection {
 public:
  enum class Mode : std::uint8_t { kWrite, kReadOnly };  ///< kReadOnly: every transaction is READ ONLY

  /// `address` is what libpq reads: a URI; PGHOST, PGUSER and the like, the service file and the password file say the rest. Waits
  /// `lock_timeout` for another connection's locks. DatabaseError for an address that libpq does not read, or that has a password:
  /// everybody on a machine can read that in the process list. Error where there is no connection, or a server too old.
  Connection(const std::string& address, Mode mode, std::chrono::milliseconds lock_timeout);
  ~Connection() override;

  void execute(const std::string& script) override;
  sql::Clock clock() override;  ///< the server's
  std::string_view for_update() const override { return " FOR UPDATE"; }

  bool is_lost() const;                              ///< the last call found the connection broken
  void reconnect();                                  ///< to the same address, as a new session. Error while that fails
  const std::string& name() const { return name_; }  ///< postgresql://user@host:port/database

 private:
  struct Close {
    void operator()(pg_conn* handle) const;
  };
  void begin_session();
  std::string prepared(std::string_view sql, std::span<const sql::Value> values);
  std::unique_ptr<sql::Rows> start(std::string_view sql, std::span<const sql::Value> values) override;
  std::int64_t changes() const override { return changes_; }
  void begin() override { execute("BEGIN"); }
  void commit() override { execute("COMMIT"); }
  void roll_back() noexcept override;

  Mode mode_;
  std::chrono::milliseconds lock_timeout_;
  std::string name_;
  std::unique_ptr<pg_conn, Close> handle_;
  std::map<std::string, std::string, std::less<>> statements_;  ///< names of prepared statements, by text and types
  std::int64_t changes_ = 0;
};

/// What the address says of an option of libpq ("dbname"); empty where it says nothing. DatabaseError as Connection.
std::string option_of(const std::string& address, std::string_view keyword);

/// DatabaseError where `version` (PQserverVersion) is of a server that `name` runs and that is too old.
void require_server(int version, const std::string& name);

}  // namespace actsearch::postgresql
