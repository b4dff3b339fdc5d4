/// A database that speaks SQL, as the statements of db/sql/ see it: a connection, a statement in use, a transaction. db/sqlite/ and
/// db/postgresql/ each derive one.
///
/// Statements are one text for both. They number their values ?1, ?2, …, and call a few of SQLite's functions (strftime, julianday,
/// json_each, group_concat, round), which a PostgreSQL database gets with its tables.
///
/// Not thread-safe: Database holds its lock around them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "db/records.h"

namespace actsearch::sql {

/// What a statement's ?N stands for. A text is borrowed for the call that takes it. NULL has a type too, which PostgreSQL asks for.
struct Value {
  enum class Type : std::uint8_t { kInteger, kReal, kText };
  explicit Value(std::int64_t value) : type(Type::kInteger), integer(value) {}
  explicit Value(int value) : Value(std::int64_t{value}) {}
  explicit Value(std::uint64_t value) : Value(static_cast<std::int64_t>(value)) {}
  explicit Value(double value) : type(Type::kReal), null(std::isnan(value)), real(value) {}  ///< NaN becomes NULL
  explicit Value(std::string_view value) : type(Type::kText), text(value) {}
  explicit Value(const std::string& value) : Value(std::string_view(value)) {}
  explicit Value(const char* value) : Value(std::string_view(value)) {}
  template <class T>
  explicit Value(const std::optional<T>& value) : Value(value.value_or(T{})) {
    null = null || !value;
  }

  Type type;
  bool null = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text;
};

/// The rows of a statement, in their order. Columns count from 0.
class Rows {
 public:
  Rows() = default;
  virtual ~Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  virtual bool step() = 0;  ///< to the next row; the first call to the first
  virtual int columns() const = 0;
  virtual std::string column_name(int column) const = 0;
  virtual bool is_null(int column) const = 0;
  virtual bool is_finite_number(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;  ///< 0 for NULL; 1 for true
  virtual std::optional<double> real(int column) const = 0;
  virtual std::string text(int column) const = 0;  ///< numbers printed as SQLite does; a blob as x'…'; empty for NULL
};

/// A statement in use. Must not outlive its connection.
class Statement {
 public:
  explicit Statement(std::unique_ptr<Rows> rows) : rows_(std::move(rows)) {}

  bool step() { return rows_->step(); }
  int columns() const { return rows_->columns(); }
  std::string column_name(int column) const { return rows_->column_name(column); }
  bool is_null(int column) const { return rows_->is_null(column); }
  bool is_finite_number(int column) const { return rows_->is_finite_number(column); }
  std::int64_t integer(int column) const { return rows_->integer(column); }
  std::optional<double> real(int column) const { return rows_->real(column); }
  std::string text(int column) const { return rows_->text(column); }

 private:
  std::unique_ptr<Rows> rows_;
};

/// What leases are judged by.
struct Clock {
  std::int64_t wall_ms = 0;  ///< since 1970: the server's, where there is one, and else this machine's
  /// boot_clock_ms(). Absent where a server's clock judges every lease.
  std::optional<std::int64_t> boot_ms;
};

class Connection {
 public:
  Connection() = default;
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// One statement. It is kept prepared for the next time. The same text must not be in use twice at a time.
  template <class... Values>
  Statement prepare(std::string_view sql, const Values&... values) {
    return Statement(start(sql, std::array<Value, sizeof...(Values)>{Value(values)...}));
  }
  /// The same with as many values as there are.
  Statement prepare_with(std::string_view sql, std::span<const Value> values) { return Statement(start(sql, values)); }
  /// Runs one statement to its end; the number of rows changed by it.
  template <class... Values>
  std::int64_t run(std::string_view sql, const Values&... values) {
    prepare(sql, values...).step();
    return changes();
  }
  virtual void execute(const std::string& script) = 0;  ///< any number of statements without values
  virtual Clock clock() = 0;                            ///< now

  /// What ends a SELECT whose rows nobody else may change before the transaction ends. Empty where a transaction excludes all other
  /// writers.
  virtual std::string_view for_update() const = 0;

 protected:
  virtual std::unique_ptr<Rows> start(std::string_view sql, std::span<const Value> values) = 0;
  virtual std::int64_t changes() const = 0;  ///< rows changed by the statement that was last stepped

 private:
  friend class Transaction;
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void roll_back() noexcept = 0;  ///< what was begun and not committed, if anything
};

/// A write transaction; undone unless committed. In SQLite it holds the write lock from its start. In PostgreSQL (READ COMMITTED) it has
/// the rows that it changed, or read with for_update().
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) { connection.begin(); }
  ~Transaction() { connection_.roll_back(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { connection_.commit(); }

 private:
  Connection& connection_;
};

}  // namespace actsearch::sql
