#include "db/sql/provisional.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "db/sql/leaderboard.h"

namespace actsearch {
namespace {

/// For the rows of `trial` that a condition names.
const char* const kNote = R"sql(
UPDATE trial SET (reached, reached_loss) = (
  SELECT epochs, loss FROM (
    SELECT whole.n + coalesce(CAST(p.step AS DOUBLE PRECISION) / p.epoch_steps, 0) AS epochs,
           coalesce(p.train_loss, (SELECT e.train_loss FROM epoch e WHERE e.trial = trial.id AND e.epoch = whole.n - 1)) AS loss
    FROM (SELECT coalesce(max(epoch) + 1, 0) AS n FROM epoch WHERE epoch.trial = trial.id) whole
    LEFT JOIN pause p ON p.trial = trial.id AND p.epoch = whole.n ORDER BY p.step DESC LIMIT 1) AS reached
  WHERE loss IS NOT NULL) WHERE )sql";

std::int64_t paused_trials(sql::Connection& connection, Id recipe) {
  auto row = connection.prepare("SELECT count(*) FROM trial WHERE recipe = ?1 AND status = 'released' AND reached IS NOT NULL", recipe);
  row.step();
  return row.integer(0);
}

}  // namespace

void note_reached(sql::Connection& connection, Id trial) { connection.run(std::string(kNote) + "id = ?1", trial); }
void note_all_reached(sql::Connection& connection) { connection.run(std::string(kNote) + "status = 'released'"); }

Provisional provisional(sql::Connection& connection, const std::optional<std::string>& selector, int top) {
  Provisional result;
  if (const auto ranked = ranked_recipe(connection, selector)) {
    result.recipe = *ranked;
    result.trials = paused_trials(connection, ranked->id);
  } else {
    for (const RankedRecipe& recipe : selected_recipes(connection, selector)) {
      const std::int64_t trials = paused_trials(connection, recipe.id);
      if (trials <= result.trials) continue;
      result.recipe = recipe;
      result.trials = trials;
    }
  }
  if (result.trials == 0) return result;
  // A function may have several rows, so how many rows `top` functions take is not known before. A server sends all that are asked for.
  for (std::int64_t limit = 4 * std::int64_t{std::max(top, 1)};; limit *= 4) {
    auto row = connection.prepare(
        "SELECT c.id, c.formula, c.name, t.reached, t.reached_loss,"
        " (SELECT count(*) FROM trial o WHERE o.candidate = c.id AND o.recipe = ?1 AND o.status = 'released' AND o.reached IS NOT NULL)"
        " FROM trial t CROSS JOIN candidate c WHERE c.id = t.candidate AND t.recipe = ?1 AND t.status = 'released' AND t.reached IS NOT "
        "NULL"
        " AND NOT EXISTS (SELECT 1 FROM standing s WHERE s.recipe = ?1 AND s.candidate = c.id)"
        " ORDER BY t.reached DESC, t.reached_loss, c.formula, t.id LIMIT ?2",
        result.recipe.id, limit);
    result.rows.clear();
    std::set<Id> listed;
    std::int64_t read = 0;
    for (; static_cast<int>(result.rows.size()) < top && row.step(); ++read) {
      if (!listed.insert(row.integer(0)).second) continue;  // another seed of it has come as far or further
      result.rows.push_back({.candidate = row.integer(0),
                             .formula = row.text(1),
                             .name = row.text(2),
                             .epochs = row.real(3).value_or(0),
                             .train_loss = row.real(4).value_or(0),
                             .n = static_cast<int>(row.integer(5))});
    }
    if (read < limit) return result;  // `top` are found, or there are no more rows
  }
}

}  // namespace actsearch
