#include "db/sqlite/store.h"

#include <memory>

#include "db/sqlite/file.h"
#include "db/sqlite/schema.h"

namespace actsearch {
namespace {

const char* const kOnlySelect = "only one SELECT (or WITH … SELECT) statement is allowed";

/// What `query` reads, with commas between.
std::string view_names(sqlite::Connection& connection) {
  return sql::first_row(connection,
                        "SELECT group_concat(name, ', ') FROM (SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name)",
                        sql::text_of)
      .value_or("");
}

}  // namespace

SqliteStore::SqliteStore(const std::filesystem::path& file, Access access, std::chrono::milliseconds busy_timeout)
    : SqlStore(std::make_unique<sqlite::File>(file, access, busy_timeout)), file_(file), busy_timeout_(busy_timeout) {}

Table SqliteStore::query(std::string_view sql, std::size_t row_limit) const {
  // A connection of its own: a long query holds up no trial, and what it may do is settled before it compiles.
  const auto connection = open_for_reading(file_, busy_timeout_);
  const std::string views = view_names(*connection);
  connection->allow_only_select();
  try {
    if (!connection->is_select(sql)) throw QueryError(kOnlySelect);
    auto row = connection->prepare(sql);
    return sql::table_of(row, row_limit);
  } catch (const sqlite::Error& error) {
    if (error.cause() != sqlite::Cause::kStatement) throw;
    if (error.reason() == "not authorized") throw QueryError(kOnlySelect);
    const bool unknown_table = error.reason().starts_with("no such table");
    throw QueryError("SQLite rejects the statement: " + error.reason() + (unknown_table ? "; there are " + views : ""));
  }
}

}  // namespace actsearch
