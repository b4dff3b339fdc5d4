#include "db/sql/bulk.h"

#include <algorithm>

namespace actsearch::sql {
namespace {

/// Rows of one statement. So many, or one, so that a connection keeps two statements prepared and not one for each number of rows.
constexpr std::size_t kRows = 50;

Value value_of(const Cell& cell) {
  Value value(cell.integer);
  switch (cell.type) {
    case Value::Type::kInteger:
      break;
    case Value::Type::kReal:
      value = Value(cell.real);
      break;
    case Value::Type::kText:
      value = Value(cell.text);
      break;
  }
  value.null = value.null || cell.null;
  return value;
}

/// "(?1, ?2), (?3, ?4)".
std::string tuples(std::size_t rows, std::size_t columns) {
  std::string text;
  for (std::size_t value = 0; value < rows * columns; ++value) {
    const bool first = value % columns == 0, last = value % columns + 1 == columns;
    text += (!first ? ", " : value > 0 ? ", (" : "(") + ("?" + std::to_string(value + 1)) + (last ? ")" : "");
  }
  return text;
}

}  // namespace

std::string names_of(std::span<const Column> columns, std::string_view prefix) {
  std::string text;
  for (const Column& column : columns) text.append(text.empty() ? "" : ", ").append(prefix).append(column.name);
  return text;
}

Cells cells_of(const Statement& row, int first, std::span<const Column> columns) {
  Cells cells;
  for (const Column& column : columns) {
    const int at = first + static_cast<int>(cells.size());
    Cell& cell = cells.emplace_back(Cell::none(column.type));
    if (row.is_null(at)) continue;
    cell.null = false;
    switch (column.type) {
      case Value::Type::kInteger:
        cell.integer = row.integer(at);
        break;
      case Value::Type::kReal:
        cell.real = row.real(at).value_or(0);
        break;
      case Value::Type::kText:
        cell.text = row.text(at);
        break;
    }
  }
  return cells;
}

void run_with_rows(Connection& connection, std::string_view begin, std::span<const Cells> rows, std::string_view end,
                   const std::function<void(const Statement&)>& each) {
  while (!rows.empty()) {
    const std::size_t count = rows.size() >= kRows ? kRows : 1;
    std::vector<Value> values;
    for (const Cells& row : rows.first(count)) std::transform(row.begin(), row.end(), std::back_inserter(values), value_of);
    auto row =
        connection.prepare_with(std::string(begin).append(" ").append(tuples(count, rows.front().size())).append(" ").append(end), values);
    while (row.step()) each(row);
    rows = rows.subspan(count);
  }
}

}  // namespace actsearch::sql
