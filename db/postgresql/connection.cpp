#include "db/postgresql/connection.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace actsearch::postgresql {
namespace {

constexpr int kOldestServer = 120000;  // the first that prints numbers so that they read back as the same bits

// Types of values and columns (catalog/pg_type.dat), which never change.
constexpr Oid kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kFloat4 = 700, kFloat8 = 701, kNumeric = 1700;

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// libpq's messages end with a line break and may have several lines.
std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, "; ");
  return text;
}

Cause cause_of(std::string_view state, bool lost) {
  // Classes and codes: https://www.postgresql.org/docs/15/errcodes-appendix.html
  constexpr std::array<std::string_view, 7> gone{"57P01", "57P02", "57P03", "57P05", "25P03", "53300", "08"};
  if (lost || std::any_of(gone.begin(), gone.end(), [&](std::string_view code) { return state.starts_with(code); })) return Cause::kLost;
  if (state == "55P03" || state == "57014") return Cause::kLocked;
  if (state == "40001" || state == "40P01") return Cause::kConflict;
  constexpr std::array<std::string_view, 6> statements{"42", "22", "21", "0A", "25", "26"};
  if (std::any_of(statements.begin(), statements.end(), [&](std::string_view code) { return state.starts_with(code); })) {
    return Cause::kStatement;
  }
  return Cause::kOther;
}

/// What the user can do about it; empty where there is nothing to advise.
const char* advice(std::string_view state, Cause cause) {
  if (state.starts_with("53100") || state.starts_with("58030")) {
    return "; the server's disk is full or failed: free some space there and run the command again; what was finished is kept";
  }
  if (state == "42501") return "; the role may not do this: docs/cluster.md lists the rights that it needs";
  if (state == "25006") return "; the server, the role or the session may only read: choose one that may write";
  if (cause == Cause::kLost) return "; run the command again when the server is back: what was finished is kept";
  if (cause == Cause::kLocked) return "; another process holds what this one needs: end it, or run the command again later";
  return "";
}

/// Text of any bytes as UTF-8 without NUL, which is all that PostgreSQL keeps. What is not becomes U+FFFD.
std::string utf8(std::string_view bytes) {
  std::string text;
  const auto continues = [&](std::size_t at) { return at < bytes.size() && (static_cast<unsigned char>(bytes[at]) & 0xc0) == 0x80; };
  for (std::size_t i = 0; i < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    std::size_t length = first < 0x80                    ? 1
                         : first >= 0xc2 && first < 0xe0 ? 2
                         : first >= 0xe0 && first < 0xf0 ? 3
                         : first >= 0xf0 && first < 0xf5 ? 4
                                                         : 0;
    if (first == 0) length = 0;
    for (std::size_t k = 1; k < length; ++k) {
      if (!continues(i + k)) length = 0;
    }
    if (length > 1) {
      const auto second = static_cast<unsigned char>(bytes[i + 1]);
      // Overlong forms, surrogates, and what lies beyond U+10FFFF.
      if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
          (first == 0xf4 && second > 0x8f)) {
        length = 0;
      }
    }
    text += length > 0 ? std::string(bytes.substr(i, length)) : "\xef\xbf\xbd";
    i += std::max<std::size_t>(length, 1);
  }
  return text;
}

/// The statement with $1 for ?1, as PostgreSQL has it. What stands in quotes stays.
std::string numbered(std::string_view sql) {
  std::string text;
  char quote = 0;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    }
    const bool value = !quote && c == '?' && i + 1 < sql.size() && sql[i + 1] >= '1' && sql[i + 1] <= '9';
    text += value ? '$' : c;
  }
  return text;
}

Oid type_of(const sql::Value& value) {
  switch (value.type) {
    case sql::Value::Type::kInteger:
      return kInt8;
    case sql::Value::Type::kReal:
      return kFloat8;
    case sql::Value::Type::kText:
      return kText;
  }
  throw std::logic_error("not a type of value");
}

template <class Number>
std::string shortest(Number number) {
  std::array<char, 40> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return {buffer.data(), end};
}

std::string text_of(const sql::Value& value) {
  switch (value.type) {
    case sql::Value::Type::kInteger:
      return shortest(value.integer);
    case sql::Value::Type::kReal:
      if (std::isinf(value.real)) return value.real > 0 ? "Infinity" : "-Infinity";
      return shortest(value.real);
    case sql::Value::Type::kText:
      return utf8(value.text);
  }
  throw std::logic_error("not a type of value");
}

/// As SQLite prints a number: 15 digits, and never like an integer.
std::string printed(double number) {
  if (std::isnan(number)) return "";
  if (std::isinf(number)) return number > 0 ? "Inf" : "-Inf";
  std::array<char, 40> buffer;
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.15g", number);
  std::string text(buffer.data(), static_cast<std::size_t>(size));
  if (const auto exponent = text.find('e'); exponent != std::string::npos) {
    if (text.find('.') == std::string::npos) text.insert(exponent, ".0");
  } else if (text.find('.') == std::string::npos) {
    text += ".0";
  }
  return text;
}

/// All rows of a result, which the server has sent at once.
class Sent : public sql::Rows {
 public:
  explicit Sent(Result result) : result_(std::move(result)) {}
  bool step() override { return ++row_ < PQntuples(result_.get()); }
  int columns() const override { return PQnfields(result_.get()); }
  std::string column_name(int column) const override { return PQfname(result_.get(), column); }
  bool is_null(int column) const override { return PQgetisnull(result_.get(), row_, column) != 0; }
  bool is_finite_number(int column) const override {
    constexpr std::array<Oid, 7> numbers{kBool, kInt2, kInt4, kInt8, kFloat4, kFloat8, kNumeric};
    return std::find(numbers.begin(), numbers.end(), type(column)) != numbers.end() && std::isfinite(real(column).value_or(NAN));
  }
  std::int64_t integer(int column) const override {
    const std::string_view text = sent(column);
    if (type(column) == kBool) return text == "t" ? 1 : 0;
    std::int64_t number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec == std::errc() && end.ptr == text.data() + text.size()) return number;
    return static_cast<std::int64_t>(real(column).value_or(0));
  }
  std::optional<double> real(int column) const override {
    if (is_null(column)) return std::nullopt;
    const std::string_view text = sent(column);
    if (type(column) == kBool) return text == "t" ? 1 : 0;
    double number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  std::string text(int column) const override {
    if (is_null(column)) return "";
    if (type(column) == kBool) return sent(column) == "t" ? "1" : "0";
    if (type(column) == kFloat8 || type(column) == kFloat4) return printed(real(column).value());
    return std::string(sent(column));
  }

 private:
  Oid type(int column) const { return PQftype(result_.get(), column); }
  std::string_view sent(int column) const {
    return {PQgetvalue(result_.get(), row_, column), static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))};
  }

  Result result_;
  int row_ = -1;
};

/// What the address says, parsed. It is not said in the message, for it may have a password.
std::unique_ptr<PQconninfoOption, FreeOptions> parsed(const std::string& address) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(address.c_str(), &message));
  PQfreemem(message);
  if (!options) {
    throw DatabaseError(
        "the address of the PostgreSQL database cannot be read: write postgresql://USER@HOST:PORT/NAME, or "
        "postgresql:///NAME?host=DIRECTORY for a socket, with %20 and the like for special characters");
  }
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    if (option->val && *option->val && std::strstr(option->keyword, "password") && std::strcmp(option->keyword, "sslpassword") != 0 &&
        std::strcmp(option->keyword, "passfile") != 0) {
      throw DatabaseError(
          "the address of the PostgreSQL database has a password, which the process list shows to everybody: put it into "
          "~/.pgpass, PGPASSWORD or a service file, and leave it out of the address");
    }
  }
  return options;
}

std::string name_of(const PGconn* handle) {
  const auto part = [](const char* text) { return std::string(text ? text : ""); };
  const std::string user = part(PQuser(handle)), host = part(PQhost(handle)), port = part(PQport(handle)), database = part(PQdb(handle));
  const bool socket = host.starts_with("/") || host.starts_with("@");
  return "postgresql://" + (user.empty() ? "" : user + "@") + (socket ? "" : host) + (port.empty() || port == "5432" ? "" : ":" + port) +
         "/" + database + (socket ? "?host=" + host : "");
}

/// The first error, with its SQLSTATE; none where the result is what was asked for.
void require(PGconn* handle, const PGresult* result, const std::string& name) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
  const char* const sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string state = sqlstate ? sqlstate : "";
  const Cause cause = cause_of(state, PQstatus(handle) == CONNECTION_BAD);
  const char* const primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string reason = one_line(primary ? primary : PQerrorMessage(handle));
  if (reason.empty()) reason = std::string("the server's answer was ") + PQresStatus(status);
  throw Error(name + ": " + reason + (state.empty() ? "" : " (PostgreSQL code " + state + ")") + advice(state, cause), cause, reason);
}

}  // namespace

void require_server(int version, const std::string& name) {
  if (version >= kOldestServer) return;
  throw DatabaseError(name + ": the server is PostgreSQL " + std::to_string(version / 10000) + ", and actsearch needs " +
                      std::to_string(kOldestServer / 10000) + " or newer: update the server, or choose another one");
}

std::string option_of(const std::string& address, std::string_view keyword) {
  const auto options = parsed(address);
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    if (option->keyword == keyword && option->val) return option->val;
  }
  return "";
}

void Connection::Close::operator()(pg_conn* handle) const { PQfinish(handle); }

Connection::Connection(const std::string& address, Mode mode, std::chrono::milliseconds lock_timeout)
    : mode_(mode), lock_timeout_(lock_timeout) {
  parsed(address);
  // The address, named last, has precedence. A server that vanishes without a word is noticed within half a minute.
  const std::array<const char*, 8> keys{"fallback_application_name", "connect_timeout",  "keepalives_idle", "keepalives_interval",
                                        "keepalives_count",          "tcp_user_timeout", "dbname",          nullptr};
  const std::array<const char*, 8> values{"actsearch", "10", "10", "5", "3", "25000", address.c_str(), nullptr};
  handle_.reset(PQconnectdbParams(keys.data(), values.data(), 1));
  if (!handle_) throw std::bad_alloc();
  begin_session();
}

Connection::~Connection() = default;

void Connection::begin_session() {
  statements_.clear();
  name_ = name_of(handle_.get());
  if (PQstatus(handle_.get()) != CONNECTION_OK) {
    const std::string reason = one_line(PQerrorMessage(handle_.get()));
    const char* what =
        "check the address, that the server runs, and that the role and the database are there (`psql` with the same address tries it)";
    if (PQconnectionNeedsPassword(handle_.get()) || PQconnectionUsedPassword(handle_.get())) {
      what = "check the role and its password, which ~/.pgpass, PGPASSWORD or a service file tells";
    }
    throw Error(name_ + ": " + reason + "; " + what, Cause::kLost, reason);
  }
  require_server(PQserverVersion(handle_.get()), name_);
  PQsetNoticeProcessor(
      handle_.get(), [](void*, const char*) {}, nullptr);
  if (PQsetClientEncoding(handle_.get(), "UTF8") != 0) require(handle_.get(), nullptr, name_);
  // A process that stops in the middle of a transaction holds its rows no longer than others wait.
  const std::string wait = std::to_string(std::max<std::int64_t>(lock_timeout_.count(), 1));
  Connection::execute(
      "SET standard_conforming_strings = on; SET extra_float_digits = 1; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET lock_timeout = " +
      wait +
      "; SET idle_in_transaction_session_timeout = 20000; SET default_transaction_isolation = 'read committed'; SET "
      "default_transaction_read_only = " +
      (mode_ == Mode::kReadOnly ? "on" : "off"));
}

bool Connection::is_lost() const { return PQstatus(handle_.get()) != CONNECTION_OK; }

void Connection::reconnect() {
  PQreset(handle_.get());
  begin_session();
}

void Connection::execute(const std::string& script) {
  const Result result(PQexec(handle_.get(), script.c_str()));
  require(handle_.get(), result.get(), name_);
}

sql::Clock Connection::clock() {
  auto row = prepare("SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)");
  row.step();
  return {row.integer(0), std::nullopt};
}

std::string Connection::prepared(std::string_view sql, std::span<const sql::Value> values) {
  std::string key(sql);
  for (const sql::Value& value : values) key += "\0irt"[1 + static_cast<std::size_t>(value.type)];
  if (const auto known = statements_.find(key); known != statements_.end()) return known->second;
  std::vector<Oid> types;
  for (const sql::Value& value : values) types.push_back(type_of(value));
  const std::string name = "actsearch_" + std::to_string(statements_.size());
  const Result result(PQprepare(handle_.get(), name.c_str(), numbered(sql).c_str(), static_cast<int>(types.size()), types.data()));
  require(handle_.get(), result.get(), name_);
  return statements_.emplace(std::move(key), name).first->second;
}

std::unique_ptr<sql::Rows> Connection::start(std::string_view sql, std::span<const sql::Value> values) {
  const std::string name = prepared(sql, values);
  std::vector<std::string> texts;
  for (const sql::Value& value : values) texts.push_back(value.null ? "" : text_of(value));
  std::vector<const char*> pointers;
  for (std::size_t i = 0; i < values.size(); ++i) pointers.push_back(values[i].null ? nullptr : texts[i].c_str());
  Result result(PQexecPrepared(handle_.get(), name.c_str(), static_cast<int>(pointers.size()), pointers.data(), nullptr, nullptr,
                               /*resultFormat=*/0));
  require(handle_.get(), result.get(), name_);
  changes_ = 0;
  const std::string_view changed = PQcmdTuples(result.get());
  std::from_chars(changed.data(), changed.data() + changed.size(), changes_);
  return std::make_unique<Sent>(std::move(result));
}

void Connection::roll_back() noexcept {
  const PGTransactionStatusType status = PQtransactionStatus(handle_.get());
  // On a broken connection the server has rolled back by itself.
  if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR) PQclear(PQexec(handle_.get(), "ROLLBACK"));
}

}  // namespace actsearch::postgresql
