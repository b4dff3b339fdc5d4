#include "search/format.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>

namespace actsearch {
namespace {

/// Characters of a UTF-8 text: bytes that do not continue one.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Tables are line by line, whatever a cell holds.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return text;
}

std::string shown(const std::optional<std::string>& cell) { return cell ? one_line(*cell) : "-"; }

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

nlohmann::ordered_json json_cell(const std::optional<std::string>& cell, bool numeric) {
  if (!cell) return nullptr;
  if (numeric) {
    auto number = nlohmann::ordered_json::parse(*cell, nullptr, /*allow_exceptions=*/false);
    if (number.is_number()) return number;
  }
  return *cell;
}

std::optional<std::string> optional_text(const std::optional<double>& value) {
  return value ? std::optional<std::string>(exact(*value)) : std::nullopt;
}

std::string percent(double value) { return fixed(100 * value, 2); }

}  // namespace

std::string exact(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

std::string fixed(double value, int digits) {
  char text[352];  // the longest double
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void write_table(std::ostream& out, const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    std::size_t width = characters(table.columns[c]);
    for (const auto& row : table.rows) width = std::max(width, characters(shown(row[c])));
    widths.push_back(width);
  }
  const auto line = [&](const auto& text_of) {
    std::string text;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = text_of(c);
      const std::string padding(widths[c] - characters(cell), ' ');
      text += (c > 0 ? "  " : "") + (table.numeric[c] ? padding + cell : cell + padding);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  };
  line([&](std::size_t c) { return one_line(table.columns[c]); });
  for (const auto& row : table.rows) line([&](std::size_t c) { return shown(row[c]); });
}

void write_csv(std::ostream& out, const Table& table) {
  for (std::size_t c = 0; c < table.columns.size(); ++c) out << (c > 0 ? "," : "") << csv_cell(table.columns[c]);
  out << '\n';
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) out << (c > 0 ? "," : "") << csv_cell(row[c].value_or(""));
    out << '\n';
  }
}

void write_json(std::ostream& out, const Table& table) {
  constexpr auto kReplaceBadBytes = nlohmann::ordered_json::error_handler_t::replace;
  out << "[";
  const char* separator = "\n";
  for (const auto& row : table.rows) {
    auto object = nlohmann::ordered_json::object();
    for (std::size_t c = 0; c < row.size(); ++c) object[table.columns[c]] = json_cell(row[c], table.numeric[c]);
    out << separator << "  " << object.dump(-1, ' ', false, kReplaceBadBytes);
    separator = ",\n";
  }
  out << (table.rows.empty() ? "]\n" : "\n]\n");
}

void write(std::ostream& out, const Table& table, Format format) {
  switch (format) {
    case Format::kTable:
      return write_table(out, table);
    case Format::kCsv:
      return write_csv(out, table);
    case Format::kJson:
      return write_json(out, table);
  }
  throw std::logic_error("write: no such format");
}

Table leaderboard_table(const std::vector<LeaderboardRow>& rows, Format format) {
  Table table;
  if (format == Format::kTable) {
    table.columns = {"rank", "formula", "name", "accuracy %", "n", "95 % interval", "best %", "beta", "epochs", "s/trial"};
    table.numeric = {true, false, false, true, true, true, true, true, true, true};
    for (const LeaderboardRow& row : rows) {
      std::optional<std::string> interval, best, beta;
      if (row.low && row.high) interval = percent(*row.low) + " to " + percent(*row.high);
      if (row.best) best = percent(*row.best);
      if (row.beta) beta = fixed(*row.beta, 3);
      table.rows.push_back({std::to_string(row.rank), row.formula, row.name, percent(row.mean), std::to_string(row.n), interval, best, beta,
                            std::to_string(row.epochs), fixed(row.seconds, 1)});
    }
    return table;
  }
  table.columns = {"rank", "formula", "name", "recipe", "accuracy", "n", "low", "high", "best", "beta", "epochs", "seconds"};
  table.numeric = {true, false, false, false, true, true, true, true, true, true, true, true};
  for (const LeaderboardRow& row : rows) {
    table.rows.push_back({std::to_string(row.rank), row.formula, row.name, row.recipe, exact(row.mean), std::to_string(row.n),
                          optional_text(row.low), optional_text(row.high), optional_text(row.best), optional_text(row.beta),
                          std::to_string(row.epochs), exact(row.seconds)});
  }
  return table;
}

Table failure_table(const std::vector<FailureRow>& rows) {
  Table table;
  table.columns = {"formula", "recipe", "seed", "reason", "detail"};
  table.numeric = {false, false, true, false, false};
  for (const FailureRow& row : rows) table.rows.push_back({row.formula, row.recipe, std::to_string(row.seed), row.reason, row.detail});
  return table;
}

}  // namespace actsearch
