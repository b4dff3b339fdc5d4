#include "db/sql/database.h"

#include <thread>

namespace actsearch::sql {
namespace {

class Busy : public DatabaseError {
 public:
  using DatabaseError::DatabaseError;
  bool busy() const override { return true; }
};

}  // namespace

Table table_of(Statement& row, std::size_t row_limit) {
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
}

void Database::when_busy(std::function<bool()> wait_on) {
  const std::lock_guard lock(mutex_);
  wait_on_ = std::move(wait_on);
}

Database::Hasty::Hasty(Database& database) : lock_(database.mutex_, std::try_to_lock), database_(database) {
  const auto end = std::chrono::steady_clock::now() + database.busy_timeout_;
  // Not a timed mutex: ThreadSanitizer of GCC 12 takes its waits for none.
  while (!lock_ && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    static_cast<void>(lock_.try_lock());
  }
  if (!lock_) throw Busy(database.name() + ": another call waits for it");
  database.may_wait_on_ = false;
}

}  // namespace actsearch::sql
