#include "python/bindings/session.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "db/open/open_store.h"
#include "grammar/candidate.h"
#include "search/report/recipe_choice.h"
#include "search/run/known_spread.h"
#include "search/run/study.h"

namespace actsearch::python {
namespace {

/// The store of a plan that can be. What is wrong is found before a file is made.
std::unique_ptr<Store> opened(const std::string& path, const AskPlan& plan, std::function<bool()> wait_on) {
  require_valid(plan);
  require_usable(path);
  auto store = open_store(path, Store::Access::kCreate);
  store->when_busy(std::move(wait_on));
  return store;
}

Ranking ranked(const Store& database, const std::optional<std::string>& recipe, int top, LeaderboardQuery::Sort sort,
               const std::optional<std::string>& reference) {
  if (top < 1) throw std::invalid_argument("top is at least 1");
  LeaderboardQuery query{
      .recipe = recipe, .top = top, .sort = sort, .reference = std::nullopt, .known_spread = known_spread, .losses = true};
  if (reference) query.reference = candidate_of(*reference).fingerprint;
  std::vector<LeaderboardRow> rows = database.leaderboard(query);
  Provisional provisional = database.provisional(recipe, top - static_cast<int>(rows.size()));
  return {.rows = std::move(rows), .paused = std::move(provisional.rows), .scale = score_scale(provisional.recipe.text)};
}

}  // namespace

LeaderboardQuery::Sort sort_named(const std::string& name) {
  using Sort = LeaderboardQuery::Sort;
  if (name == "lower-bound") return Sort::kLowerBound;
  if (name == "accuracy") return Sort::kAccuracy;
  if (name == "time") return Sort::kTime;
  if (name == "trials") return Sort::kTrials;
  throw std::invalid_argument("sort is lower-bound, accuracy, time or trials, not '" + name + "'");
}

Session::Session(const std::string& path, const AskPlan& plan, std::function<bool()> wait_on)
    : conditions_(plan.conditions),
      commit_(plan.commit),
      machine_(plan.machine),
      recipe_text_(to_text(plan.conditions)),
      store_(opened(path, plan, std::move(wait_on))),
      note_(note_on_epochs(*store_, plan.conditions)),
      asker_(*store_, plan),
      study_(asker_.study()),
      recipe_(asker_.recipe()) {}

std::optional<AskedTrial> Session::ask(std::chrono::seconds lease) {
  if (lease < std::chrono::seconds(1)) throw std::invalid_argument("a lease is a second at least");
  const std::lock_guard lock(asking_);
  std::vector<AskedTrial> asked = asker_.ask(1, lease);
  return asked.empty() ? std::nullopt : std::optional(std::move(asked.front()));
}

Reply Session::elsewhere(const std::string& formula, std::uint64_t seed, const ToldResult& told) {
  require_valid(told, conditions_);
  return Teller(*store_).elsewhere(
      {.conditions = conditions_, .candidate = candidate_of(formula), .seed = seed, .commit = commit_, .machine = machine_}, told);
}

TicketTrial Session::find(Id trial) const {
  auto found = std::as_const(*store_).tickets().find(trial);
  if (!found || found->recipe != recipe_) {
    throw std::invalid_argument("there is no trial " + std::to_string(trial) + " under this study's conditions");
  }
  return std::move(*found);
}

std::vector<TicketTrial> Session::out() const {
  std::vector<TicketTrial> out = std::as_const(*store_).tickets().out();
  std::erase_if(out, [&](const TicketTrial& trial) { return trial.recipe != recipe_; });
  return out;
}

Ranking Session::ranking(int top, LeaderboardQuery::Sort sort, const std::optional<std::string>& reference) const {
  return ranked(*store_, recipe_text_, top, sort, reference);
}

Table Session::query(const std::string& sql) const {
  const Queries* const queries = store_->queries();
  if (queries == nullptr) throw std::invalid_argument("this store answers no SELECT");
  return queries->query(sql);
}

Ranking ranking_of(const std::string& path, const std::optional<std::string>& recipe, int top, LeaderboardQuery::Sort sort,
                   const std::optional<std::string>& reference) {
  const auto store = open_store(path, Store::Access::kReadOnly);
  require_known_recipe(*store, "recipe", recipe);
  return ranked(*store, recipe, top, sort, reference);
}

}  // namespace actsearch::python
