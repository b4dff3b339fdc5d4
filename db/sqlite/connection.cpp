#include "db/sqlite/connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "db/owner.h"

namespace actsearch::sqlite {
namespace {

Cause cause_of(int code) {
  switch (code & 0xff) {
    case SQLITE_ERROR:
    case SQLITE_AUTH:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_SCHEMA:
      return Cause::kStatement;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Cause::kLocked;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return Cause::kCannotOpen;
  }
  return Cause::kOther;
}

/// What the user can do about it; empty where there is nothing to advise.
const char* advice(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process keeps the file locked: wait for it or end it (`fuser FILE` shows which it is), then run the command again";
    case SQLITE_CANTOPEN:
      return "check that the directory exists and that you may read and write the file and its directory";
    case SQLITE_READONLY:
      return "it cannot be written: allow writing to the file and its directory, or choose another file";
    case SQLITE_NOTADB:
      return "it is not an SQLite database: choose another file";
    case SQLITE_CORRUPT:
      return "the file is damaged: restore a copy, or save what is left with `sqlite3 FILE .recover`";
    case SQLITE_FULL:
      return "the disk is full: free some space and run the command again; what was finished is kept";
    case SQLITE_IOERR:
      return "the disk failed or allows no more to be written: free some space or check it, then run the command again; what was finished "
             "is kept";
  }
  return "";
}

int only_select(void*, int action, const char*, const char* name, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION: {
      const std::string_view function = name;
      return function == "load_extension" || function == "fts3_tokenizer" ? SQLITE_DENY : SQLITE_OK;
    }
  }
  return SQLITE_DENY;
}

[[noreturn]] void throw_error(const std::filesystem::path& file, std::string_view call, int code, const std::string& reason) {
  const std::string advised = advice(code);
  throw Error(file.string() + ": " + std::string(call) + " failed: " + reason + " (SQLite code " + std::to_string(code) + ")" +
                  (advised.empty() ? "" : "; " + advised),
              cause_of(code), reason);
}

/// A file: URI, with the characters that have a meaning in one escaped.
std::string immutable_uri(const std::filesystem::path& file) {
  std::string uri = "file:";
  for (const char c : file.string()) {
    switch (c) {
      case '%':
        uri += "%25";
        break;
      case '?':
        uri += "%3f";
        break;
      case '#':
        uri += "%23";
        break;
      default:
        uri += c;  // every other character stands for itself
    }
  }
  return uri + "?immutable=1";
}

/// A prepared statement in use, with its values bound. The connection keeps it prepared; when this object goes, the statement is reset,
/// which ends its read transaction.
class Cursor : public sql::Rows {
 public:
  Cursor(const Connection& connection, sqlite3_stmt* statement, std::span<const sql::Value> values)
      : connection_(connection), statement_(statement) {
    for (std::size_t i = 0; i < values.size(); ++i) bind(static_cast<int>(i) + 1, values[i]);
  }
  ~Cursor() override {
    sqlite3_reset(statement_);  // repeats the code of the last step, which step() has already thrown
    sqlite3_clear_bindings(statement_);
  }

  bool step() override {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) connection_.fail("sqlite3_step");
    return code == SQLITE_ROW;
  }
  int columns() const override { return sqlite3_column_count(statement_); }
  std::string column_name(int column) const override { return sqlite3_column_name(statement_, column); }
  bool is_null(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  bool is_finite_number(int column) const override {
    const int type = sqlite3_column_type(statement_, column);
    return type == SQLITE_INTEGER || (type == SQLITE_FLOAT && std::isfinite(sqlite3_column_double(statement_, column)));
  }
  std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::optional<double> real(int column) const override {
    if (is_null(column)) return std::nullopt;
    return sqlite3_column_double(statement_, column);
  }
  std::string text(int column) const override {
    const bool blob = sqlite3_column_type(statement_, column) == SQLITE_BLOB;
    const auto* bytes =
        static_cast<const unsigned char*>(blob ? sqlite3_column_blob(statement_, column) : sqlite3_column_text(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    if (!blob) return bytes ? std::string(reinterpret_cast<const char*>(bytes), size) : std::string();
    std::string hex = "x'";
    for (std::size_t i = 0; i < size; ++i) {
      hex += "0123456789abcdef"[bytes[i] >> 4];
      hex += "0123456789abcdef"[bytes[i] & 15];
    }
    return hex + "'";
  }

 private:
  void bind(int index, const sql::Value& value) {
    if (value.null) return;  // as a statement begins
    switch (value.type) {
      case sql::Value::Type::kInteger:
        if (sqlite3_bind_int64(statement_, index, value.integer) != SQLITE_OK) connection_.fail("sqlite3_bind_int64");
        return;
      case sql::Value::Type::kReal:
        if (sqlite3_bind_double(statement_, index, value.real) != SQLITE_OK) connection_.fail("sqlite3_bind_double");
        return;
      case sql::Value::Type::kText: {
        const char* const text = value.text.data() ? value.text.data() : "";  // a null pointer would bind NULL
        if (sqlite3_bind_text64(statement_, index, text, value.text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK) {
          connection_.fail("sqlite3_bind_text64");
        }
        return;
      }
    }
  }

  const Connection& connection_;
  sqlite3_stmt* statement_;
};

}  // namespace

void Connection::Close::operator()(sqlite3* handle) const { sqlite3_close(handle); }
void Connection::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Connection::Connection(const std::filesystem::path& file, Mode mode, std::chrono::milliseconds busy_timeout)
    : file_(std::filesystem::absolute(file)) {  // absolute, so that no name (":memory:") has a second meaning
  const bool immutable = mode == Mode::kImmutable;
  const int access = mode == Mode::kCreate ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const std::string name = immutable ? immutable_uri(file_) : file_.string();
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle, access | (immutable ? SQLITE_OPEN_URI : 0), nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) fail("sqlite3_open_v2");
  sqlite3_extended_result_codes(handle, 1);
  patience_->wait = busy_timeout;
  sqlite3_busy_handler(handle, on_busy, patience_.get());
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
}

std::unique_ptr<Connection> Connection::copy_in_memory(Connection& source) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(":memory:", &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  std::unique_ptr<Connection> copy(new Connection(source.file_, handle));
  if (code != SQLITE_OK) copy->fail("sqlite3_open_v2");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_backup* const backup = sqlite3_backup_init(handle, "main", source.handle_.get(), "main");
  if (!backup) copy->fail("sqlite3_backup_init");
  const int copied = sqlite3_backup_step(backup, -1);  // waits for locks as long as the source does
  sqlite3_backup_finish(backup);
  if (copied != SQLITE_DONE) throw_error(source.file_, "sqlite3_backup_step", copied, sqlite3_errstr(copied));
  return copy;
}

Connection::~Connection() = default;

int Connection::on_busy(void* patience, int calls) {
  auto& own = *static_cast<Patience*>(patience);
  const auto now = std::chrono::steady_clock::now();
  if (calls == 0) own.since = now;
  if (now - own.since >= own.wait) {
    if (!own.wait_on || !own.wait_on()) return 0;
    own.since = std::chrono::steady_clock::now();
  }
  // Short sleeps at first: most locks are held for a millisecond or two.
  std::this_thread::sleep_for(std::chrono::milliseconds(std::min(1 + calls, 50)));
  return 1;
}

sqlite3_stmt* Connection::prepared(std::string_view sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second.get();
  const auto refuse = [&](const std::string& reason) { throw Error(file_.string() + ": " + reason, Cause::kStatement, reason); };
  if (sql.find('\0') != std::string_view::npos) refuse("a NUL character in the statement");
  const std::string text(sql);
  const auto compile = [&](const char*& at) {
    const auto left = std::min<std::size_t>(static_cast<std::size_t>(text.c_str() + text.size() - at), std::numeric_limits<int>::max());
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(handle_.get(), at, static_cast<int>(left), SQLITE_PREPARE_PERSISTENT, &statement, &at) != SQLITE_OK) {
      fail("sqlite3_prepare_v3");
    }
    return std::unique_ptr<sqlite3_stmt, Finalize>(statement);
  };
  const char* at = text.c_str();
  auto statement = compile(at);
  while (*at && statement) {  // only white space, comments and semicolons may follow
    if (compile(at)) refuse("more than one statement");
  }
  if (!statement) refuse("an empty statement");
  return statements_.emplace(text, std::move(statement)).first->second.get();
}

void Connection::execute(const std::string& script) {
  if (sqlite3_exec(handle_.get(), script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail("sqlite3_exec");
}

std::unique_ptr<sql::Rows> Connection::start(std::string_view sql, std::span<const sql::Value> values) {
  return std::make_unique<Cursor>(*this, prepared(sql), values);
}

bool Connection::is_select(std::string_view sql) {
  sqlite3_stmt* const statement = prepared(sql);
  return sqlite3_column_count(statement) > 0 && sqlite3_stmt_readonly(statement) && !sqlite3_stmt_isexplain(statement);
}

sql::Clock Connection::clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), boot_clock_ms()};
}

Id Connection::last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }
std::int64_t Connection::changes() const { return sqlite3_changes64(handle_.get()); }
bool Connection::read_only() const { return sqlite3_db_readonly(handle_.get(), "main") != 0; }

void Connection::refuse_writing() { execute("PRAGMA query_only = 1"); }

void Connection::allow_only_select() {
  constexpr int kLargestCell = 64 << 20;  // bytes: no statement makes the program swallow all memory with one value
  sqlite3_limit(handle_.get(), SQLITE_LIMIT_LENGTH, kLargestCell);
  sqlite3_set_authorizer(handle_.get(), only_select, nullptr);
}

void Connection::fail(std::string_view call) const {
  const int code = handle_ ? sqlite3_extended_errcode(handle_.get()) : SQLITE_NOMEM;
  const std::string reason = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(SQLITE_NOMEM);
  throw_error(file_, call, code, reason);
}

void Connection::roll_back() noexcept {
  // After a full disk SQLite may have rolled back by itself; a rollback has no other way to fail.
  if (!sqlite3_get_autocommit(handle_.get())) sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace actsearch::sqlite
