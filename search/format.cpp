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

namespace {

std::string verdict(const PairedComparison& compared) {
  constexpr double kLevel = 0.05;
  return compared.p_holm >= kLevel ? "tie" : compared.difference > 0 ? "better" : "worse";
}

/// Beside each row of the leaderboard, its comparison with the reference.
void add_comparison(Table& table, const std::vector<LeaderboardRow>& rows, Format format, const std::string& reference) {
  const bool people = format == Format::kTable;
  const std::vector<std::string> columns =
      people ? std::vector<std::string>{"pairs", "− " + reference + ", points", "95 % of it", "p (Holm)", "verdict"}
             : std::vector<std::string>{"pairs", "difference", "difference_low", "difference_high", "p", "p_holm", "verdict"};
  table.columns.insert(table.columns.end(), columns.begin(), columns.end());
  table.numeric.insert(table.numeric.end(), columns.size() - 1, true);
  table.numeric.push_back(false);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& cells = table.rows[i];
    if (!rows[i].compared) {
      cells.insert(cells.end(), columns.size(), std::nullopt);
      continue;
    }
    const PairedComparison& compared = *rows[i].compared;
    const auto points = [](double difference) { return (difference < 0 ? "" : "+") + percent(difference); };
    if (people) {
      cells.insert(cells.end(), {std::to_string(compared.n), points(compared.difference),
                                 points(compared.low) + " to " + points(compared.high), fixed(compared.p_holm, 4), verdict(compared)});
    } else {
      cells.insert(cells.end(), {std::to_string(compared.n), exact(compared.difference), exact(compared.low), exact(compared.high),
                                 exact(compared.p), exact(compared.p_holm), verdict(compared)});
    }
  }
}

Table plain_leaderboard(const std::vector<LeaderboardRow>& rows, Format format) {
  Table table;
  if (format == Format::kTable) {
    table.columns = {"rank", "formula", "name", "accuracy %", "n", "95 % interval", "bound %", "best %", "beta", "epochs", "s/trial"};
    table.numeric = {true, false, false, true, true, true, true, true, true, true, true};
    for (const LeaderboardRow& row : rows) {
      std::optional<std::string> interval, bound, best, beta;
      if (row.low && row.high) interval = percent(*row.low) + " to " + percent(*row.high);
      if (row.bound) bound = percent(*row.bound);
      if (row.best) best = percent(*row.best);
      if (row.beta) beta = fixed(*row.beta, 3);
      table.rows.push_back({std::to_string(row.rank), row.formula, row.name, percent(row.mean), std::to_string(row.n), interval, bound,
                            best, beta, std::to_string(row.epochs), fixed(row.seconds, 1)});
    }
    return table;
  }
  table.columns = {"rank", "formula", "name", "recipe", "accuracy", "n", "low", "high", "bound", "best", "beta", "epochs", "seconds"};
  table.numeric = {true, false, false, false, true, true, true, true, true, true, true, true, true};
  for (const LeaderboardRow& row : rows) {
    table.rows.push_back({std::to_string(row.rank), row.formula, row.name, row.recipe, exact(row.mean), std::to_string(row.n),
                          optional_text(row.low), optional_text(row.high), optional_text(row.bound), optional_text(row.best),
                          optional_text(row.beta), std::to_string(row.epochs), exact(row.seconds)});
  }
  return table;
}

}  // namespace

std::string percent(double value) { return fixed(100 * value, 2); }

Table leaderboard_table(const std::vector<LeaderboardRow>& rows, Format format, const std::optional<std::string>& reference) {
  Table table = plain_leaderboard(rows, format);
  if (reference) add_comparison(table, rows, format, *reference);
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
