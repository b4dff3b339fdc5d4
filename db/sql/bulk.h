/// Rows that go from one database to another: columns named once, and a statement for many rows.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/sql/connection.h"

namespace actsearch::sql {

struct Column {
  std::string_view name;
  Value::Type type;
};

/// A value that owns its text.
struct Cell {
  Value::Type type = Value::Type::kInteger;
  bool null = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;

  static Cell of(std::int64_t integer) { return {.type = Value::Type::kInteger, .null = false, .integer = integer, .real = 0, .text = {}}; }
  static Cell of(std::string text) { return {.type = Value::Type::kText, .null = false, .integer = 0, .real = 0, .text = std::move(text)}; }
  static Cell none(Value::Type type) { return {.type = type, .null = true, .integer = 0, .real = 0, .text = {}}; }
  bool operator==(const Cell&) const = default;
};
using Cells = std::vector<Cell>;  ///< a row, in the order of its columns

/// "seed, status", or with a prefix "t.seed, t.status".
std::string names_of(std::span<const Column> columns, std::string_view prefix = "");
/// The cells of a row from column `first` on.
Cells cells_of(const Statement& row, int first, std::span<const Column> columns);

/// Runs the statement `begin (?1, ?2), (?3, ?4), … end`, a tuple for each row, for some rows at a time until all are done. `each` is called
/// for every row that the statement gives. All rows have as many cells as the first.
void run_with_rows(
    Connection& connection, std::string_view begin, std::span<const Cells> rows, std::string_view end,
    const std::function<void(const Statement&)>& each = [](const Statement&) {});

}  // namespace actsearch::sql
