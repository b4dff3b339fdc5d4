#include "search/text/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
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

}  // namespace

std::string exact(double value) {
  if (std::isnan(value)) return "nan";  // its sign means nothing
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "nan";
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

std::string verdict(const Comparison& compared, std::optional<double> margin) {
  constexpr double kLevel = 0.05;
  if (compared.p < kLevel) return compared.difference > 0 ? "better" : "worse";
  return margin && compared.equal_within <= *margin ? "equal" : "not told apart";
}

namespace {

using Cell = std::optional<std::string>;

/// One column of the leaderboard: what it says of a finished row and of one that a race has stopped.
struct Column {
  std::string name;
  bool numeric = true;
  std::function<Cell(const LeaderboardRow&)> finished;
  std::function<Cell(const ProvisionalRow&)> paused = [](const ProvisionalRow&) { return std::nullopt; };
};

/// Without zeros at the end: 0.06, 0.5, 2.
std::string rounded(double value) {
  std::string text = fixed(value, 2);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string status(const ProvisionalRow& row, const Provisional& provisional) {
  const int whole = provisional.recipe.epochs;
  return "paused at " + rounded(row.epochs) + (whole > 0 ? " of " + std::to_string(whole) : "") + " epochs";
}

template <class Row>
Cell optional_cell(const Row& row, std::optional<double> Row::*value, std::string (*text)(double)) {
  return row.*value ? Cell(text(*(row.*value))) : std::nullopt;
}
std::string three_digits(double value) { return fixed(value, 3); }

/// "2-9"; empty where the rank is the only one.
Cell tied_text(const LeaderboardRow& row) {
  if (!row.tied || row.tied->first == row.tied->last) return std::nullopt;
  return std::to_string(row.tied->first) + "-" + std::to_string(row.tied->last);
}
Cell tied_cell(const LeaderboardRow& row, int RankRange::*end) { return row.tied ? Cell(std::to_string((*row.tied).*end)) : std::nullopt; }

/// The value of an optional field, by a function of the scale.
using Writing = std::string (ScoreScale::*)(double) const;
std::function<Cell(const LeaderboardRow&)> scaled(const ScoreScale& scale, std::optional<double> LeaderboardRow::*value, Writing writing) {
  return [&scale, value, writing](const LeaderboardRow& row) { return row.*value ? Cell((scale.*writing)(*(row.*value))) : std::nullopt; };
}

std::vector<Column> columns_for_people(const Provisional& provisional, const ScoreScale& scale) {
  using Row = LeaderboardRow;
  using Paused = ProvisionalRow;
  return {
      {"rank", true, [](const Row& r) { return std::to_string(r.rank); }},
      {"tied", true, [](const Row& r) { return tied_text(r); }},
      {"formula", false, [](const Row& r) { return r.formula; }, [](const Paused& r) { return r.formula; }},
      {"name", false, [](const Row& r) { return r.name; }, [](const Paused& r) { return r.name; }},
      {scale.header(), true, [&](const Row& r) { return scale.value(r.mean); }},
      {scale.header("±"), true, scaled(scale, &Row::margin, &ScoreScale::amount)},
      {"n", true, [](const Row& r) { return std::to_string(r.n); }, [](const Paused& r) { return std::to_string(r.n); }},
      {scale.header("bound"), true, scaled(scale, &Row::bound, &ScoreScale::value)},
      {scale.header("best"), true, scaled(scale, &Row::best, &ScoreScale::value)},
      {"beta", true, [](const Row& r) { return optional_cell(r, &Row::beta, three_digits); }},
      {"s/trial", true, [](const Row& r) { return r.seconds > 0 ? Cell(fixed(r.seconds, 1)) : std::nullopt; }},
      {"status", false, [](const Row&) { return "finished"; }, [&](const Paused& r) { return status(r, provisional); }},
      {"training loss", true, [](const Row&) { return std::nullopt; }, [](const Paused& r) { return fixed(r.train_loss, 4); }},
  };
}

std::vector<Column> columns_for_programs(const Provisional& provisional, const ScoreScale& scale) {
  using Row = LeaderboardRow;
  using Paused = ProvisionalRow;
  const std::string& conditions = provisional.recipe.text;
  std::string recipe = conditions.substr(0, conditions.find(' '));
  return {
      {"rank", true, [](const Row& r) { return std::to_string(r.rank); }},
      {"tied_first", true, [](const Row& r) { return tied_cell(r, &RankRange::first); }},
      {"tied_last", true, [](const Row& r) { return tied_cell(r, &RankRange::last); }},
      {"status", false, [](const Row&) { return "finished"; }, [](const Paused&) { return "paused"; }},
      {"formula", false, [](const Row& r) { return r.formula; }, [](const Paused& r) { return r.formula; }},
      {"name", false, [](const Row& r) { return r.name; }, [](const Paused& r) { return r.name; }},
      {"recipe", false, [](const Row& r) { return r.recipe; }, [recipe](const Paused&) { return recipe; }},
      {scale.header(), true, [&](const Row& r) { return scale.exact_value(r.mean); }},
      {scale.header("±"), true, scaled(scale, &Row::margin, &ScoreScale::exact_amount)},
      {"n", true, [](const Row& r) { return std::to_string(r.n); }, [](const Paused& r) { return std::to_string(r.n); }},
      {scale.header("low"), true, scaled(scale, scale.negated ? &Row::high : &Row::low, &ScoreScale::exact_value)},
      {scale.header("high"), true, scaled(scale, scale.negated ? &Row::low : &Row::high, &ScoreScale::exact_value)},
      {scale.header("bound"), true, scaled(scale, &Row::bound, &ScoreScale::exact_value)},
      {scale.header("best"), true, scaled(scale, &Row::best, &ScoreScale::exact_value)},
      {"validation_loss", true, [](const Row& r) { return optional_cell(r, &Row::validation_loss, exact); }},
      {"beta", true, [](const Row& r) { return optional_cell(r, &Row::beta, exact); }},
      {"epochs", true, [](const Row& r) { return r.epochs > 0 ? Cell(std::to_string(r.epochs)) : std::nullopt; },
       [](const Paused& r) { return exact(r.epochs); }},
      {"seconds", true, [](const Row& r) { return r.seconds > 0 ? Cell(exact(r.seconds)) : std::nullopt; }},
      {"train_loss", true, [](const Row&) { return std::nullopt; }, [](const Paused& r) { return exact(r.train_loss); }},
  };
}

/// A row's comparison with the reference.
std::vector<Column> comparison_columns(Format format, const std::string& reference, const ScoreScale& scale, std::optional<double> margin) {
  using Compared = Comparison;
  const auto column = [](const std::string& name, bool numeric, const std::function<std::string(const Compared&)>& text) {
    return Column{name, numeric, [text](const LeaderboardRow& r) { return r.compared ? Cell(text(*r.compared)) : std::nullopt; }};
  };
  const Column common = column("common_seeds", true, [](const Compared& c) { return std::to_string(c.common); });
  const Column said = column("verdict", false, [margin](const Compared& c) { return verdict(c, margin); });
  const double Compared::*low = scale.negated ? &Compared::high : &Compared::low;
  const double Compared::*high = scale.negated ? &Compared::low : &Compared::high;
  if (format == Format::kTable) {
    return {
        column("− " + reference + ", " + scale.difference_unit(), true, [&](const Compared& c) { return scale.difference(c.difference); }),
        column("95 % of all", true,
               [&, low, high](const Compared& c) { return scale.difference(c.*low) + " to " + scale.difference(c.*high); }),
        column("p (Dunnett)", true, [](const Compared& c) { return fixed(c.p, 4); }),
        column("equal within", true, [&](const Compared& c) { return scale.amount(c.equal_within); }), said};
  }
  return {common,
          column("difference", true, [&](const Compared& c) { return scale.exact_difference(c.difference); }),
          column("difference_low", true, [&, low](const Compared& c) { return scale.exact_difference(c.*low); }),
          column("difference_high", true, [&, high](const Compared& c) { return scale.exact_difference(c.*high); }),
          column("p", true, [](const Compared& c) { return exact(c.p); }),
          column("p_alone", true, [](const Compared& c) { return exact(c.p_alone); }),
          column("equal_within", true, [&](const Compared& c) { return scale.exact_amount(c.equal_within); }),
          said};
}

/// What nobody would read: a column that says nothing of any row.
bool empty(const Column& column, const std::vector<LeaderboardRow>& rows, const Provisional& provisional) {
  const auto nothing = [](const Cell& cell) { return !cell || cell->empty(); };
  return std::all_of(rows.begin(), rows.end(), [&](const LeaderboardRow& row) { return nothing(column.finished(row)); }) &&
         std::all_of(provisional.rows.begin(), provisional.rows.end(),
                     [&](const ProvisionalRow& row) { return nothing(column.paused(row)); });
}

}  // namespace

std::string percent(double value) { return fixed(100 * value, 2); }
std::string signed_percent(double value) { return (value < 0 ? "" : "+") + percent(value); }
std::string exact_percent(double value) { return exact(std::round(value * 1e10) / 1e8); }

Table leaderboard_table(const std::vector<LeaderboardRow>& rows, const Provisional& provisional, Format format,
                        const std::optional<std::string>& reference, const ScoreScale& scale, std::optional<double> margin) {
  const bool people = format == Format::kTable;
  std::vector<Column> columns = people ? columns_for_people(provisional, scale) : columns_for_programs(provisional, scale);
  if (reference) {
    for (Column& column : comparison_columns(format, *reference, scale, margin)) columns.push_back(std::move(column));
  }
  if (people && rows.size() + provisional.rows.size() > 0) {
    std::erase_if(columns, [&](const Column& column) { return empty(column, rows, provisional); });
  }
  Table table;
  for (const Column& column : columns) {
    table.columns.push_back(column.name);
    table.numeric.push_back(column.numeric);
  }
  const auto add = [&](const auto& cell_of) {
    auto& cells = table.rows.emplace_back();
    for (const Column& column : columns) cells.push_back(cell_of(column));
  };
  for (const LeaderboardRow& row : rows) add([&](const Column& column) { return column.finished(row); });
  for (const ProvisionalRow& row : provisional.rows) add([&](const Column& column) { return column.paused(row); });
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
