#include "db/postgresql/store.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "db/postgresql/connection.h"
#include "db/postgresql/schema.h"
#include "db/postgresql/server.h"
#include "db/sql/store.h"

namespace actsearch {
namespace {

const char* const kOnlySelect = "only one SELECT (or WITH … SELECT) statement is allowed";

class PostgresqlStore : public SqlStore, public Queries {
 public:
  PostgresqlStore(const std::string& address, Access access, std::chrono::milliseconds busy_timeout)
      : SqlStore(std::make_unique<postgresql::Server>(address, access, busy_timeout)), address_(address), busy_timeout_(busy_timeout) {}

  using Queries::query;
  Table query(std::string_view sql, std::size_t row_limit) const override;
  const Queries* queries() const override { return this; }

 private:
  std::string address_;
  std::chrono::milliseconds busy_timeout_;
};

Table PostgresqlStore::query(std::string_view sql, std::size_t row_limit) const {
  if (sql.find('\0') != std::string_view::npos) throw QueryError("a NUL character in the statement");
  // A session of its own: a long query holds up no trial. A cursor is of one SELECT, which changes nothing.
  postgresql::Connection connection(address_, postgresql::Connection::Mode::kReadOnly, busy_timeout_);
  postgresql::require_current(connection);
  try {
    const sql::Transaction transaction(connection);
    connection.run("DECLARE answer NO SCROLL CURSOR FOR " + std::string(sql));
    auto row = connection.prepare("FETCH " + std::to_string(row_limit + 1) + " FROM answer");
    return sql::table_of(row, row_limit);
  } catch (const postgresql::Error& error) {
    if (error.cause() != postgresql::Cause::kStatement) throw;
    const std::string& reason = error.reason();
    const bool unknown_table = reason.starts_with("relation ");
    if (reason.starts_with("syntax error") || reason.find("cursor") != std::string::npos || reason.find("read-only") != std::string::npos) {
      throw QueryError(std::string(kOnlySelect) + ": " + reason);
    }
    const std::string views = unknown_table ? sql::first_row(connection,
                                                             "SELECT string_agg(viewname, ', ' ORDER BY viewname) FROM pg_catalog.pg_views"
                                                             " WHERE schemaname = current_schema()",
                                                             sql::text_of)
                                                  .value_or("")
                                            : "";
    throw QueryError("PostgreSQL rejects the statement: " + reason + (unknown_table ? "; there are " + views : ""));
  }
}

}  // namespace

std::unique_ptr<Store> open_postgresql(const std::string& address, Store::Access access, std::chrono::milliseconds busy_timeout) {
  return std::make_unique<PostgresqlStore>(address, access, busy_timeout);
}

std::string name_of_postgresql(const std::string& address) {
  std::string name = postgresql::option_of(address, "dbname");
  if (name.empty()) name = postgresql::option_of(address, "service");
  if (const char* const usual = std::getenv("PGDATABASE"); name.empty() && usual) name = usual;
  std::replace(name.begin(), name.end(), '/', '_');
  return name.empty() ? "postgresql" : name;
}

void require_usable_postgresql(const std::string& address, std::chrono::milliseconds busy_timeout) {
  postgresql::Connection connection(address, postgresql::Connection::Mode::kReadOnly, busy_timeout);
  postgresql::require_ours(connection);
}

}  // namespace actsearch
