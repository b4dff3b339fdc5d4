#include "grammar/nearest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace actsearch {
namespace {

/// Levenshtein's distance: insertions, deletions and replacements that turn a into b.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr std::size_t kLongestWord = 40;
  if (word.empty() || word.size() > kLongestWord || known.empty()) return {};
  std::string_view nearest;
  std::size_t best = word.size();  // replacing everything is no likeness
  for (const std::string_view name : known) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  const std::size_t tolerated = std::max<std::size_t>(1, word.size() / 3);
  return nearest.empty() || best > tolerated ? std::string() : "; did you mean '" + std::string(nearest) + "'?";
}

std::string shortened(std::string_view word) {
  constexpr std::size_t kShown = 24;
  return word.size() <= kShown ? std::string(word) : std::string(word.substr(0, kShown)) + "…";
}

}  // namespace actsearch
