/// Results as text: aligned tables, CSV and JSON.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "db/store.h"
#include "search/text/score_scale.h"

namespace actsearch {

enum class Format : std::uint8_t { kTable, kCsv, kJson };

/// Columns aligned by two spaces, numbers to the right; counts characters, not bytes. NULL is "-".
void write_table(std::ostream& out, const Table& table);
/// RFC 4180, with "\n" for line ends: a cell with a comma, a quote or a line end is quoted. NULL is an empty cell.
void write_csv(std::ostream& out, const Table& table);
/// An array of objects, one a row, keys in the order of the columns; cells of numeric columns are numbers, NULL is null.
void write_json(std::ostream& out, const Table& table);
void write(std::ostream& out, const Table& table, Format format);

/// Scores are written by the scale. The finished rows come first, by rank, then the provisional ones without a rank; the column `status`
/// tells them apart. For people accuracies are in per cent, and a column that would be empty is left out. CSV and JSON have every field
/// in full. With the name of a reference there are columns for each row's comparison with it; `margin` as of verdict().
Table leaderboard_table(const std::vector<LeaderboardRow>& rows, const Provisional& provisional, Format format,
                        const std::optional<std::string>& reference = std::nullopt, const ScoreScale& scale = {},
                        std::optional<double> margin = std::nullopt);
/// "better" or "worse" where p is below 0.05. Else "equal" where the two are equal within the margin (in stored units), or "not told
/// apart", which is not the same.
std::string verdict(const Comparison& compared, std::optional<double> margin);
Table failure_table(const std::vector<FailureRow>& rows);

/// The shortest decimal that reads back to the same number; "nan", "inf", "-inf".
std::string exact(double value);
/// A share in per cent, with two digits after the point; with its sign, as a difference has; as many digits as it has, up to eight.
std::string percent(double value);
std::string signed_percent(double value);
std::string exact_percent(double value);
/// With a fixed number of digits after the point.
std::string fixed(double value, int digits);

}  // namespace actsearch
