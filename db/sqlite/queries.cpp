// Questions in SQL.

#include "db/sqlite/schema.h"
#include "db/sqlite/store.h"

namespace actsearch {
namespace {

const char* const kOnlySelect = "only one SELECT (or WITH … SELECT) statement is allowed";

}  // namespace

std::string SqliteStore::view_names() const {
  return file_.with([&](sqlite::Connection& connection) -> std::string {
    auto row =
        connection.prepare("SELECT group_concat(name, ', ') FROM (SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name)");
    row.step();
    return row.text(0);
  });
}

Table SqliteStore::query(std::string_view sql, std::size_t row_limit) const {
  // A connection of its own: a long query holds up no trial, and what it may do is settled before it compiles.
  const auto connection = open_for_reading(file_.path(), file_.busy_timeout());
  connection->allow_only_select();
  try {
    auto row = connection->prepare(sql);
    if (!row.is_select()) throw QueryError(kOnlySelect);
    Table table;
    for (int column = 0; column < row.columns(); ++column) table.columns.push_back(row.column_name(column));
    table.numeric.assign(table.columns.size(), true);
    while (row.step()) {
      if (table.rows.size() == row_limit) throw QueryError("more than " + std::to_string(row_limit) + " rows: add a LIMIT");
      auto& cells = table.rows.emplace_back(table.columns.size());
      for (int column = 0; column < row.columns(); ++column) {
        const auto i = static_cast<std::size_t>(column);
        if (row.is_null(column)) continue;
        if (!row.is_finite_number(column)) table.numeric[i] = false;
        cells[i] = row.text(column);
      }
    }
    return table;
  } catch (const sqlite::Error& error) {
    if (error.cause() != sqlite::Cause::kStatement) throw;
    if (error.reason() == "not authorized") throw QueryError(kOnlySelect);
    const bool unknown_table = error.reason().starts_with("no such table");
    throw QueryError("SQLite rejects the statement: " + error.reason() + (unknown_table ? "; there are " + view_names() : ""));
  }
}

}  // namespace actsearch
