#include "db/sql/leaderboard.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include "db/comparisons.h"
#include "db/statistics.h"

namespace actsearch {
namespace {

std::string_view order_of(LeaderboardQuery::Sort sort) {
  switch (sort) {
    case LeaderboardQuery::Sort::kAccuracy:
      return "s.mean DESC";
    case LeaderboardQuery::Sort::kLowerBound:
      return "s.n DESC, s.mean DESC";  // without several trials of anything there is no bound: single trials by their accuracy
    case LeaderboardQuery::Sort::kTime:
      return "s.seconds, s.mean DESC";
    case LeaderboardQuery::Sort::kTrials:
      return "s.n DESC, s.mean DESC";
  }
  throw std::logic_error("not a sort order");
}

/// Whether a recipe's text begins with the selector's first word, its name, and has each further one among its fields.
bool has_words(const std::string& text, const std::string& selector) {
  std::istringstream words(selector);
  std::string word;
  if (!(words >> word) || !text.starts_with(word + " ")) return false;
  bool fields = false;
  while (words >> word) {
    if ((text + " ").find(" " + word + " ") == std::string::npos) return false;
    fields = true;
  }
  return fields;
}

/// A number of things that a row says, which in a damaged file may be any.
int count_of(std::int64_t stored) { return static_cast<int>(std::clamp<std::int64_t>(stored, 0, std::numeric_limits<int>::max())); }

/// The epochs of a whole trial, as a recipe's text says; 0 where it does not.
int epochs_in(const std::string& text) {
  const std::string_view key = " epochs=";
  const std::size_t at = text.find(key);
  int epochs = 0;
  if (at != std::string::npos) std::from_chars(text.data() + at + key.size(), text.data() + text.size(), epochs);
  return epochs;
}

}  // namespace

std::vector<RankedRecipe> selected_recipes(sql::Connection& connection, const std::optional<std::string>& selector) {
  auto row = connection.prepare(
      "SELECT id, text, done, name FROM recipe ORDER BY text IN (SELECT recipe FROM study WHERE kind = 'search') DESC, done DESC, id");
  std::vector<RankedRecipe> exact, by_words;
  while (row.step()) {
    const RankedRecipe recipe{row.integer(0), row.text(1), row.integer(2), epochs_in(row.text(1))};
    if (!selector || *selector == row.text(3) || *selector == recipe.text)
      exact.push_back(recipe);
    else if (has_words(recipe.text, *selector))
      by_words.push_back(recipe);
  }
  return exact.empty() ? by_words : exact;
}

std::optional<RankedRecipe> ranked_recipe(sql::Connection& connection, const std::optional<std::string>& selector) {
  for (const RankedRecipe& recipe : selected_recipes(connection, selector)) {
    if (recipe.done > 0) return recipe;
  }
  return std::nullopt;
}

int refresh_standing(sql::Connection& connection, Id candidate, Id recipe) {
  std::vector<double> accuracies;
  double best = 0, beta_sum = 0, seconds_sum = 0;
  std::int64_t betas = 0, epochs = 0;
  {
    auto trial = connection.prepare(
        "SELECT accuracy, seconds, epochs, beta0 FROM trials"
        " WHERE candidate = ?1 AND recipe_id = ?2 AND status = 'done' AND accuracy IS NOT NULL ORDER BY seed",
        candidate, recipe);
    while (trial.step()) {
      accuracies.push_back(*trial.real(0));
      best = accuracies.size() == 1 ? accuracies.back() : std::max(best, accuracies.back());
      seconds_sum += trial.real(1).value_or(0);
      epochs = std::max(epochs, trial.integer(2));
      if (const auto beta = trial.real(3)) beta_sum += *beta, ++betas;
    }
  }
  if (accuracies.empty()) return 0;
  const Mean mean = mean_of(accuracies);
  std::optional<double> beta;
  if (betas > 0) beta = beta_sum / static_cast<double>(betas);
  const auto bound = [&](int sign) { return mean.half_width ? std::optional(mean.value + sign * *mean.half_width) : std::nullopt; };
  connection.run(
      "INSERT INTO standing (recipe, candidate, n, mean, low, high, best, beta, epochs, seconds)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (recipe, candidate) DO UPDATE SET n = excluded.n, mean = "
      "excluded.mean,"
      " low = excluded.low, high = excluded.high, best = excluded.best, beta = excluded.beta, epochs = excluded.epochs,"
      " seconds = excluded.seconds",
      recipe, candidate, mean.n, mean.value, bound(-1), bound(+1), best, beta, epochs, seconds_sum / mean.n);
  return mean.n;
}

void refresh_every_standing(sql::Connection& connection) {
  auto pair = connection.prepare("SELECT DISTINCT candidate, recipe FROM trial WHERE status = 'done'");
  while (pair.step()) refresh_standing(connection, pair.integer(0), pair.integer(1));
}

void refresh_spread(sql::Connection& connection, Id recipe) {
  constexpr int kMost = 1'000;  // of those with the most trials: enough, and quick however many there are
  double squares = 0;
  std::int64_t degrees = 0;
  int functions = 0;
  {
    auto row = connection.prepare(
        "SELECT n, mean, low FROM standing WHERE recipe = ?1 AND n > 1 ORDER BY n DESC, mean DESC, low DESC LIMIT ?2", recipe, kMost);
    for (; row.step(); ++functions) {
      const int n = count_of(row.integer(0));
      const auto low = row.real(2);
      if (n < 2 || !low) continue;  // a damaged row
      const double deviation = (row.real(1).value() - *low) * std::sqrt(n) / student_t_95(n - 1);
      squares += (n - 1) * deviation * deviation;
      degrees += n - 1;
    }
  }
  if (degrees == 0) return;
  const SeedSpread spread(std::sqrt(squares / static_cast<double>(degrees)), count_of(degrees), "");
  connection.run("UPDATE recipe SET deviation = ?2, degrees = ?3, several = ?4, margin = ?5 WHERE id = ?1", recipe, spread.deviation(),
                 degrees, functions, spread.margin(1));
}

void refresh_every_spread(sql::Connection& connection) {
  for (const RankedRecipe& recipe : selected_recipes(connection, std::nullopt)) refresh_spread(connection, recipe.id);
}

void refresh_all_standings(sql::Connection& connection) {
  refresh_every_standing(connection);
  refresh_every_spread(connection);
}

namespace {

/// That of the file's own functions with several seeds.
std::optional<SeedSpread> own_spread(sql::Connection& connection, Id recipe) {
  auto row = connection.prepare("SELECT deviation, degrees, several FROM recipe WHERE id = ?1", recipe);
  if (!row.step() || row.integer(1) <= 0 || row.is_null(0)) return std::nullopt;
  return SeedSpread{row.real(0).value(), count_of(row.integer(1)),
                    "pooled over " + row.text(2) + (row.integer(2) == 1 ? " function" : " functions") + " of this file with several seeds"};
}

}  // namespace

std::optional<SeedSpread> seed_spread(sql::Connection& connection, const RankedRecipe& recipe, const LeaderboardQuery::KnownSpread& known) {
  auto own = own_spread(connection, recipe.id);
  if (own && own->degrees() >= LeaderboardQuery::kOwnDegrees) return own;
  auto elsewhere = known ? known(recipe.text) : std::nullopt;
  return elsewhere ? elsewhere : own;
}

namespace {

/// Each function of the recipe with several trials beside the reference; by candidate.
std::map<Id, Comparison> comparisons(sql::Connection& connection, const std::string& reference, Id recipe) {
  auto found = connection.prepare("SELECT id FROM candidate WHERE fingerprint = ?1", reference);
  if (!found.step()) return {};
  const Id candidate = found.integer(0);
  auto row = connection.prepare(
      "SELECT t.candidate, t.seed, coalesce(t.validation_accuracy, t.final_test_accuracy) FROM standing s CROSS JOIN trial t"
      " WHERE s.recipe = ?1 AND (s.n > 1 OR s.candidate = ?2) AND t.candidate = s.candidate AND t.recipe = ?1 AND t.status = 'done'"
      " AND coalesce(t.validation_accuracy, t.final_test_accuracy) IS NOT NULL ORDER BY t.candidate, t.seed",
      recipe, candidate);
  std::vector<SeedScore> trials;
  while (row.step()) trials.push_back({row.integer(0), static_cast<std::uint64_t>(row.integer(1)), row.real(2).value_or(0)});
  return compared_with(candidate, trials);
}

/// Every number of trials that a candidate of the recipe has, by one step of an index each.
std::vector<int> trial_counts(sql::Connection& connection, Id recipe) {
  auto row = connection.prepare(
      "WITH RECURSIVE counts(n) AS (SELECT max(n) FROM standing WHERE recipe = ?1 UNION ALL"
      " SELECT (SELECT max(n) FROM standing WHERE recipe = ?1 AND n < counts.n) FROM counts WHERE n IS NOT NULL)"
      " SELECT n FROM counts WHERE n IS NOT NULL",
      recipe);
  std::vector<int> counts;
  while (row.step()) {
    const int n = count_of(row.integer(0));
    if (!counts.empty() && n >= counts.back()) break;  // a damaged index, which might lead in a circle
    if (n < 1) break;
    counts.push_back(n);
  }
  return counts;
}

/// The mean validation loss after the last epoch of a standing's finished trials.
constexpr std::string_view kLoss =
    ", (SELECT avg(e.validation_loss) FROM trial t JOIN epoch e ON e.trial = t.id AND e.epoch = t.epochs - 1"
    " WHERE t.candidate = s.candidate AND t.recipe = s.recipe AND t.status = 'done')";

/// The first `top` standings that satisfy `condition` (SQL on s), in that order; ?3 is bound to `value`.
std::vector<Standing> read_standings(sql::Connection& connection, Id recipe, const std::string& condition, const std::string& order,
                                     bool losses, int top, int value = 0) {
  // In SQLite CROSS JOIN keeps `standing` outermost, so that its index gives the order and the scan ends with the last row asked for.
  auto row = connection.prepare(
      "SELECT c.formula, c.name, c.fingerprint, c.parameters, r.name, s.mean, s.n, s.low, s.high, s.best,"
      " s.beta, s.epochs, s.seconds, s.candidate" +
          std::string(losses ? kLoss : "") +
          " FROM standing s CROSS JOIN candidate c CROSS JOIN "
          "recipe r"
          " WHERE s.recipe = ?1 AND c.id = s.candidate AND r.id = s.recipe AND " +
          condition + " ORDER BY " + order + ", c.formula LIMIT ?2",
      recipe, std::max(top, 0), value);
  std::vector<Standing> result;
  while (row.step()) {
    Standing& standing = result.emplace_back();
    standing.candidate = {row.text(2), row.text(0), row.text(1), static_cast<int>(row.integer(3))};
    LeaderboardRow& line = standing.row;
    line.formula = row.text(0);
    line.name = row.text(1);
    line.recipe = row.text(4);
    line.mean = row.real(5).value_or(0);
    line.n = count_of(row.integer(6));
    line.low = row.real(7);
    line.high = row.real(8);
    line.best = row.real(9);
    line.beta = row.real(10);
    line.epochs = static_cast<int>(row.integer(11));
    line.seconds = row.real(12).value_or(0);
    line.candidate = row.integer(13);
    if (losses) line.validation_loss = row.real(14);
  }
  return result;
}

/// The best of each number of trials, merged: within one number the bound falls with the mean.
std::vector<Standing> by_lower_bound(sql::Connection& connection, Id recipe, const SeedSpread& spread, bool losses, int top) {
  std::vector<Standing> all;
  for (const int n : trial_counts(connection, recipe)) {
    for (Standing& standing : read_standings(connection, recipe, "s.n = ?3", "s.mean DESC", losses, top, n))
      all.push_back(std::move(standing));
  }
  const auto bound = [&](const Standing& standing) { return standing.row.mean - spread.margin(standing.row.n); };
  std::stable_sort(all.begin(), all.end(), [&](const Standing& a, const Standing& b) {
    return std::pair(-bound(a), a.row.formula) < std::pair(-bound(b), b.row.formula);
  });
  if (all.size() > static_cast<std::size_t>(std::max(top, 0))) all.resize(static_cast<std::size_t>(std::max(top, 0)));
  return all;
}

/// The means of the functions with n trials, falling, down to `least`; the first `most` of them.
std::vector<double> means_with(sql::Connection& connection, Id recipe, int n, double least, std::int64_t most) {
  auto row = connection.prepare("SELECT mean FROM standing WHERE recipe = ?1 AND n = ?2 AND mean >= ?3 ORDER BY mean DESC LIMIT ?4", recipe,
                                n, least, most);
  std::vector<double> means;
  while (row.step()) means.push_back(row.real(0).value_or(least));
  return means;
}

/// Whom each row is told apart from. Where the deviation is not the one that the bound is from, a rank may lie just outside: it is let in.
void find_ties(sql::Connection& connection, Id recipe, const SeedSpread& spread, std::vector<Standing>& rows) {
  if (rows.empty()) return;
  // A tie that goes far beyond the rows asked for is cut off: counting a million functions would take longer than anything else here.
  const std::int64_t most = std::max<std::int64_t>(10'000, 5 * static_cast<std::int64_t>(rows.size()));
  for (Standing& row : rows) row.row.tied = RankRange{1, 0};
  for (const int n : trial_counts(connection, recipe)) {
    double least = 1;
    for (const Standing& row : rows) least = std::min(least, row.row.mean - spread.told_apart(row.row.n, n));
    const std::vector<double> means = means_with(connection, recipe, n, least, most);
    for (Standing& row : rows) {
      const double apart = spread.told_apart(row.row.n, n);
      // Both ends count those that lie above them in the falling list.
      const auto better = std::partition_point(means.begin(), means.end(), [&](double mean) { return mean > row.row.mean + apart; });
      const auto worse = std::partition_point(better, means.end(), [&](double mean) { return mean >= row.row.mean - apart; });
      row.row.tied->first += static_cast<int>(better - means.begin());
      row.row.tied->last += static_cast<int>(worse - means.begin());
    }
  }
  for (Standing& row : rows) {
    row.row.tied->first = std::min(row.row.tied->first, row.row.rank);
    row.row.tied->last = std::max(row.row.tied->last, row.row.rank);
  }
}

}  // namespace

std::vector<Standing> standings(sql::Connection& connection, const LeaderboardQuery& query) {
  using Sort = LeaderboardQuery::Sort;
  const auto ranked = ranked_recipe(connection, query.recipe);
  if (!ranked) return {};
  const Id recipe = ranked->id;
  const auto own = own_spread(connection, recipe), spread = seed_spread(connection, *ranked, query.known_spread);
  std::vector<Standing> result =
      query.sort == Sort::kLowerBound && own
          ? by_lower_bound(connection, recipe, *own, query.losses, query.top)
          : read_standings(connection, recipe, "?3 = 0", std::string(order_of(query.sort)), query.losses, query.top);
  for (std::size_t i = 0; i < result.size(); ++i) {
    LeaderboardRow& row = result[i].row;
    row.rank = static_cast<int>(i) + 1;
    if (own) row.bound = row.mean - own->margin(row.n);
    if (spread) row.margin = spread->margin(row.n);
  }
  if (spread && (query.sort == Sort::kLowerBound || query.sort == Sort::kAccuracy)) find_ties(connection, recipe, *spread, result);
  if (query.reference) {
    const auto compared = comparisons(connection, *query.reference, recipe);
    for (Standing& standing : result) {
      if (const auto one = compared.find(standing.row.candidate); one != compared.end()) standing.row.compared = one->second;
    }
  }
  return result;
}

std::vector<CandidateStudy> studies_with(sql::Connection& connection, std::string_view fingerprint,
                                         const std::optional<std::string>& recipe) {
  std::vector<CandidateStudy> studies;
  const auto ranked = ranked_recipe(connection, recipe);
  if (!ranked) return studies;
  auto row = connection.prepare(
      "SELECT DISTINCT s.id, s.kind, s.space, s.strategy, s.seed, s.recipe, s.data, s.conditions, s.program_commit, s.machine"
      " FROM candidate c JOIN trial t ON t.candidate = c.id JOIN study_trial u ON u.trial = t.id JOIN study s ON s.id = u.study"
      " WHERE c.fingerprint = ?1 AND t.recipe = ?2 AND t.status = 'done' ORDER BY s.id",
      fingerprint, ranked->id);
  while (row.step()) {
    studies.push_back({row.integer(0),
                       {row.text(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4)), row.text(5), row.text(6),
                        row.text(7), row.text(8), row.text(9)}});
  }
  return studies;
}

}  // namespace actsearch
