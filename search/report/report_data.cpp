#include "search/report/report_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "search/run/funnel.h"
#include "search/run/known_spread.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

using nlohmann::json;
using Cell = std::optional<std::string>;

constexpr int kDigitsOfNumbers = 6, kDigitsOfCurves = 5, kDigitsOfTimes = 3;  // significant ones

json rounded(double value, int digits = kDigitsOfNumbers) {
  if (!std::isfinite(value)) return nullptr;
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  double result = 0;
  std::from_chars(text, text + std::char_traits<char>::length(text), result);
  if (result == std::trunc(result) && std::abs(result) < 1e15) return static_cast<std::int64_t>(result);
  return result;
}
json rounded(const std::optional<double>& value) { return value ? rounded(*value) : json(nullptr); }

/// A cell that holds a number; null where it does not.
json number(const Cell& cell, int digits = kDigitsOfNumbers) {
  double value = 0;
  if (!cell || std::from_chars(cell->data(), cell->data() + cell->size(), value).ec != std::errc()) return nullptr;
  return rounded(value, digits);
}
std::int64_t integer(const Cell& cell) {
  std::int64_t value = 0;
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}
/// Seeds are 64 bits without sign; those that JavaScript's numbers cannot hold are texts.
json seed(const Cell& cell) {
  const auto value = static_cast<std::uint64_t>(integer(cell));
  if (value < (std::uint64_t{1} << 53u)) return value;
  return std::to_string(value);
}

/// Arrays of equal length under their names. One that holds nothing but null is left out of the document.
class Columns {
 public:
  void add(const char* name, json value) { columns_[name].push_back(std::move(value)); }
  json take() {
    json result = json::object();
    for (auto& [name, values] : columns_) {
      if (std::any_of(values.begin(), values.end(), [](const json& v) { return !v.is_null(); })) result[name] = std::move(values);
    }
    return result;
  }

 private:
  std::map<std::string, std::vector<json>> columns_;
};

/// A row of a query with its cells by name.
class Rows {
 public:
  Rows(const Database& database, const std::string& sql) : table_(database.query(sql, kMost)) {
    for (std::size_t i = 0; i < table_.columns.size(); ++i) places_[table_.columns[i]] = i;
  }
  std::size_t size() const { return table_.rows.size(); }
  const Cell& at(std::size_t row, const std::string& column) const { return table_.rows[row][places_.at(column)]; }
  std::string text(std::size_t row, const std::string& column) const { return at(row, column).value_or(""); }

 private:
  static constexpr std::size_t kMost = 100'000'000;
  Table table_;
  std::map<std::string, std::size_t> places_;
};

/// Numbers for an SQL IN (…).
std::string listed(const std::vector<Id>& ids) {
  std::string text;
  for (const Id id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return "(" + text + ")";
}

/// Whether that is the name of a function in a formula. Such a function is measured in its usual form, however a search met it.
bool is_activation(const std::string& name) {
  const auto& known = activations();
  return std::any_of(known.begin(), known.end(), [&](const OperatorInfo& info) { return info.name == name; });
}

/// The functions of the whole document, each once however many recipes it was trained under.
class FunctionTable {
 public:
  FunctionTable(Forms& forms, KernelTimes& times) : forms_(forms), times_(times) {}

  std::size_t place_of(Id candidate, const std::string& formula, const std::string& name) {
    const auto [place, fresh] = places_.try_emplace(candidate, places_.size());
    if (!fresh) return place->second;
    const Form& form = forms_.of(formula);
    const bool computed = !form.shape.empty();
    columns_.add("formula", formula);
    columns_.add("name", name.empty() ? json(nullptr) : json(name));
    columns_.add("mathml", form.mathml.empty() ? json(nullptr) : json(form.mathml));
    columns_.add("shape", computed ? json(form.shape) : json(nullptr));
    columns_.add("low", computed ? rounded(form.low) : json(nullptr));
    columns_.add("high", computed ? rounded(form.high) : json(nullptr));
    columns_.add("operations", computed ? json(form.operations) : json(nullptr));
    const auto time = computed ? times_.of(is_activation(name) ? name : formula) : std::nullopt;
    columns_.add("forward_ns", time ? rounded(time->forward_ns, kDigitsOfTimes) : json(nullptr));
    columns_.add("backward_ns", time ? rounded(time->backward_ns, kDigitsOfTimes) : json(nullptr));
    return place->second;
  }
  std::optional<std::size_t> find(Id candidate) const {
    const auto place = places_.find(candidate);
    return place == places_.end() ? std::nullopt : std::optional(place->second);
  }
  json take() { return columns_.take(); }

 private:
  Forms& forms_;
  KernelTimes& times_;
  std::unordered_map<Id, std::size_t> places_;
  Columns columns_;
};

/// One recipe text's part of the document.
class RecipeData {
 public:
  RecipeData(const Database& database, FunctionTable& functions, const ReportLimits& limits, Id recipe, std::string text)
      : database_(database), functions_(functions), limits_(limits), recipe_(recipe), text_(std::move(text)) {
    query_ = {.recipe = text_, .top = limits.functions, .sort = LeaderboardQuery::Sort::kLowerBound, .known_spread = known_spread};
    rows_ = database.leaderboard(query_);
  }

  json take() {
    json result;
    result["ranking"] = ranking();
    if (const auto spread = database_.seed_spread(query_))
      result["spread"] = {{"deviation", rounded(spread->deviation())}, {"degrees", spread->degrees()}, {"source", spread->source()}};
    result["trials"] = trials();
    result["races"] = races();
    result["paused"] = paused();
    result["unfinished"] = unfinished();
    result["running"] = running();
    result["epochs"] = epochs();
    result["comparisons"] = comparisons();
    result["failures"] = failures();
    result["reasons"] = reasons();
    result["left_out"] = std::move(left_out_);
    return result;
  }

 private:
  std::string of_recipe() const { return " recipe_id = " + std::to_string(recipe_); }

  json ranking() {
    Columns columns;
    for (const LeaderboardRow& row : rows_) {
      columns.add("function", functions_.place_of(row.candidate, row.formula, row.name));
      columns.add("mean", rounded(row.mean));
      columns.add("n", row.n);
      columns.add("low", rounded(row.low));
      columns.add("high", rounded(row.high));
      columns.add("bound", rounded(row.bound));
      columns.add("margin", rounded(row.margin));
      columns.add("tied_first", row.tied ? json(row.tied->first) : json(nullptr));
      columns.add("tied_last", row.tied ? json(row.tied->last) : json(nullptr));
      columns.add("best", rounded(row.best));
      columns.add("beta", rounded(row.beta));
      columns.add("epochs", row.epochs);
      columns.add("seconds", rounded(row.seconds));
    }
    const Rows all(database_, "SELECT count(*) AS n FROM standings WHERE" + of_recipe());
    left_out_["functions"] = integer(all.at(0, "n")) - static_cast<std::int64_t>(rows_.size());
    return columns.take();
  }

  /// The best functions with at most so many of what `count` counts; references too.
  template <class Count>
  std::vector<Id> best_within(std::int64_t most, const Count& count) {
    std::vector<Id> ids;
    std::int64_t sum = 0;
    for (const LeaderboardRow& row : rows_) {
      const bool reference = std::find(std::begin(kReferences), std::end(kReferences), row.name) != std::end(kReferences);
      const std::int64_t own = count(row);
      if (sum + own > most && !reference) continue;
      sum += own;
      ids.push_back(row.candidate);
    }
    return ids;
  }

  json trials() {
    const std::vector<Id> shown = best_within(limits_.trials, [](const LeaderboardRow& row) { return row.n; });
    const Rows rows(database_,
                    "SELECT trial, candidate, seed, accuracy, best_test_accuracy, final_test_accuracy, train_loss, beta, epochs, seconds"
                    " FROM trials WHERE" +
                        of_recipe() + " AND status = 'done' AND candidate IN " + listed(shown) + " ORDER BY trial");
    Columns columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto function = functions_.find(integer(rows.at(i, "candidate")));
      if (!function) continue;  // finished since the ranking was read
      places_.emplace(integer(rows.at(i, "trial")), places_.size());
      columns.add("function", *function);
      columns.add("seed", seed(rows.at(i, "seed")));
      for (const char* name : {"accuracy", "best_test_accuracy", "final_test_accuracy", "train_loss", "epochs", "seconds"}) {
        columns.add(name, number(rows.at(i, name)));
      }
      columns.add("beta", betas(rows.at(i, "beta")));
    }
    std::int64_t done = 0;
    for (const LeaderboardRow& row : rows_) done += row.n;
    left_out_["trials"] = std::max<std::int64_t>(0, done - static_cast<std::int64_t>(places_.size()));
    return columns.take();
  }

  /// [[mean, deviation, min, max], …], one a parameter; null without any.
  static json betas(const Cell& cell) {
    const json stored = json::parse(cell.value_or("[]"), nullptr, false);
    json result = json::array();
    if (!stored.is_array()) return nullptr;
    for (const json& one : stored) {
      if (!one.is_object()) return nullptr;
      json numbers = json::array();
      for (const char* name : {"mean", "deviation", "min", "max"}) {
        const auto value = one.find(name);
        numbers.push_back(value != one.end() && value->is_number() ? rounded(value->get<double>()) : json(nullptr));
      }
      result.push_back(std::move(numbers));
    }
    return result.empty() ? json(nullptr) : result;
  }

  /// How each race under the recipe has narrowed, oldest first.
  json races() {
    json result = json::array();
    const Rows searches(database_, "SELECT s.study FROM studies s JOIN recipes r ON r.text = s.recipe WHERE r." + of_recipe().substr(1) +
                                       " AND s.kind = 'search' ORDER BY s.study");
    for (std::size_t i = 0; i < searches.size(); ++i) {
      const Id study = integer(searches.at(i, "study"));
      json stages = json::array();
      for (const FunnelStage& stage : race_funnel(database_, study, recipe_)) {
        stages.push_back({{"epochs", rounded(stage.epochs)},
                          {"entered", stage.entered},
                          {"failed", stage.failed},
                          {"under_way", stage.under_way},
                          {"judged", stage.judged},
                          {"stopped", stage.stopped},
                          {"went_on", stage.went_on}});
      }
      if (!stages.empty()) result.push_back({{"study", study}, {"stages", std::move(stages)}});
    }
    return result;
  }

  json paused() {
    const Provisional provisional = database_.provisional(text_, limits_.paused);
    Columns columns;
    for (const ProvisionalRow& row : provisional.rows) {
      columns.add("function", functions_.place_of(row.candidate, row.formula, row.name));
      columns.add("epochs", rounded(row.epochs));
      columns.add("train_loss", rounded(row.train_loss, kDigitsOfCurves));
      columns.add("n", row.n);
    }
    const Rows all(database_, "SELECT count(DISTINCT candidate) AS n FROM paused WHERE" + of_recipe() +
                                  " AND candidate NOT IN (SELECT candidate FROM standings WHERE" + of_recipe() + ")");
    left_out_["paused"] = integer(all.at(0, "n")) - static_cast<std::int64_t>(provisional.rows.size());
    return columns.take();
  }

  /// Trials in progress or paused that have epochs. In the curves they follow the finished ones.
  json unfinished() {
    const Rows rows(database_,
                    "SELECT t.trial, t.candidate, t.formula, t.name, t.seed, t.status, count(*) AS epochs FROM trials t"
                    " JOIN epochs e ON e.trial = t.trial WHERE t." +
                        of_recipe().substr(1) +
                        " AND t.status IN ('running', 'released') GROUP BY t.trial ORDER BY t.status = 'running' DESC, epochs DESC LIMIT " +
                        std::to_string(limits_.unfinished));
    Columns columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      places_.emplace(integer(rows.at(i, "trial")), places_.size());
      unfinished_.push_back(integer(rows.at(i, "trial")));
      columns.add("function", functions_.place_of(integer(rows.at(i, "candidate")), rows.text(i, "formula"), rows.text(i, "name")));
      columns.add("seed", seed(rows.at(i, "seed")));
      columns.add("status", rows.text(i, "status"));
      columns.add("epochs", number(rows.at(i, "epochs")));
    }
    return columns.take();
  }

  /// Trials that a process is at work on, with how long their leases last from now (seconds).
  json running() {
    const Rows rows(database_,
                    "SELECT candidate, formula, name, seed, epochs, planned_epochs AS planned,"
                    " 86400 * (julianday(lease_until) - julianday('now')) AS lease,"
                    " 86400 * (julianday('now') - julianday(started)) AS seconds FROM running WHERE" +
                        of_recipe() + " ORDER BY trial LIMIT " + std::to_string(limits_.running));
    Columns columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      columns.add("function", functions_.place_of(integer(rows.at(i, "candidate")), rows.text(i, "formula"), rows.text(i, "name")));
      columns.add("seed", seed(rows.at(i, "seed")));
      for (const char* name : {"epochs", "planned", "lease", "seconds"}) columns.add(name, number(rows.at(i, name)));
    }
    return columns.take();
  }

  json epochs() {
    const std::vector<Id> shown =
        best_within(limits_.epoch_rows, [](const LeaderboardRow& row) { return std::int64_t{row.n} * row.epochs; });
    left_out_["curves"] = rows_.size() - shown.size();
    const Rows rows(database_,
                    "SELECT e.trial, e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.test_accuracy"
                    " FROM epochs e JOIN trials t ON t.trial = e.trial WHERE t." +
                        of_recipe().substr(1) + " AND ((t.status = 'done' AND t.candidate IN " + listed(shown) + ") OR t.trial IN " +
                        listed(unfinished_) + ") ORDER BY e.trial, e.epoch");
    Columns columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto trial = places_.find(integer(rows.at(i, "trial")));
      if (trial == places_.end()) continue;
      columns.add("trial", trial->second);
      columns.add("epoch", integer(rows.at(i, "epoch")));
      for (const char* name : {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_accuracy"}) {
        columns.add(name, number(rows.at(i, name), kDigitsOfCurves));
      }
    }
    return columns.take();
  }

  json comparisons() {
    json result = json::array();
    for (const std::string_view reference : kReferences) {
      const auto place = std::find_if(rows_.begin(), rows_.end(), [&](const LeaderboardRow& row) { return row.name == reference; });
      if (place == rows_.end()) continue;
      LeaderboardQuery query = query_;
      query.reference = std::get<Candidate>(consider(parse(reference))).fingerprint;
      Columns columns;
      bool any = false;
      for (const LeaderboardRow& row : database_.leaderboard(query)) {
        const auto function = functions_.find(row.candidate);
        if (!function || !row.compared) continue;
        any = true;
        columns.add("function", *function);
        columns.add("n", row.compared->n);
        columns.add("difference", rounded(row.compared->difference));
        columns.add("low", rounded(row.compared->low));
        columns.add("high", rounded(row.compared->high));
        columns.add("p", rounded(row.compared->p));
        columns.add("p_holm", rounded(row.compared->p_holm));
      }
      if (any) result.push_back({{"reference", *functions_.find(place->candidate)}, {"rows", columns.take()}});
    }
    return result;
  }

  json failures() {
    const Rows rows(database_,
                    "SELECT t.candidate, f.formula, f.name, f.seed, f.reason, f.detail, f.epochs, f.seconds FROM failures f"
                    " JOIN trials t ON t.trial = f.trial WHERE t." +
                        of_recipe().substr(1) + " ORDER BY f.trial LIMIT " + std::to_string(limits_.failures));
    Columns columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      columns.add("function", functions_.place_of(integer(rows.at(i, "candidate")), rows.text(i, "formula"), rows.text(i, "name")));
      columns.add("seed", seed(rows.at(i, "seed")));
      columns.add("reason", rows.text(i, "reason"));
      columns.add("detail", rows.text(i, "detail"));
      columns.add("epochs", number(rows.at(i, "epochs")));
      columns.add("seconds", number(rows.at(i, "seconds")));
    }
    return columns.take();
  }

  json reasons() {
    const Rows rows(database_, "SELECT f.reason, count(*) AS n FROM failures f JOIN trials t ON t.trial = f.trial WHERE t." +
                                   of_recipe().substr(1) + " GROUP BY f.reason ORDER BY n DESC, f.reason");
    json result = json::array();
    for (std::size_t i = 0; i < rows.size(); ++i) result.push_back({rows.text(i, "reason"), integer(rows.at(i, "n"))});
    return result;
  }

  const Database& database_;
  FunctionTable& functions_;
  const ReportLimits& limits_;
  const Id recipe_;
  const std::string text_;
  LeaderboardQuery query_;
  std::vector<LeaderboardRow> rows_;
  std::unordered_map<Id, std::size_t> places_;  ///< of trials, in the document's columns
  std::vector<Id> unfinished_;
  json left_out_ = json::object();
};

json studies(const Database& database) {
  const Rows rows(database,
                  "SELECT study, kind, space, strategy, seed, recipe, data, conditions, program_commit, machine, created FROM studies"
                  " ORDER BY study");
  json result = json::array();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    json one{{"study", integer(rows.at(i, "study"))}, {"seed", seed(rows.at(i, "seed"))}};
    for (const char* name : {"kind", "space", "strategy", "recipe", "data", "conditions", "program_commit", "machine", "created"}) {
      one[name] = rows.text(i, name);
    }
    result.push_back(std::move(one));
  }
  return result;
}

json rejections(const Database& database) {
  const Rows rows(database, "SELECT study, reason, count(*) AS n FROM rejections GROUP BY study, reason ORDER BY study, n DESC");
  json result = json::array();
  for (std::size_t i = 0; i < rows.size(); ++i)
    result.push_back({integer(rows.at(i, "study")), rows.text(i, "reason"), integer(rows.at(i, "n"))});
  return result;
}

/// How many trials of each recipe have which status; "left" where a process is gone that was at work.
std::map<Id, json> counts(const Database& database) {
  const Rows rows(database,
                  "SELECT recipe_id, CASE WHEN status = 'running' AND trial NOT IN (SELECT trial FROM running) THEN 'left' ELSE status END"
                  " AS state, count(*) AS n FROM trials GROUP BY recipe_id, state");
  std::map<Id, json> result;
  for (std::size_t i = 0; i < rows.size(); ++i) result[integer(rows.at(i, "recipe_id"))][rows.text(i, "state")] = integer(rows.at(i, "n"));
  return result;
}

/// What is compared with is measured before anything else: it is in every picture.
void measure_references(const Database& database, KernelTimes& times) {
  times.begin();
  for (const std::string_view reference : kReferences) {
    const Rows stored(database, "SELECT count(*) AS n FROM candidates WHERE name = '" + std::string(reference) + "'");
    if (integer(stored.at(0, "n")) > 0) times.of(std::string(reference));
  }
}

}  // namespace

std::string report_json(const Database& database, const std::string& name, Forms& forms, KernelTimes& times, const ReportLimits& limits) {
  measure_references(database, times);
  FunctionTable functions(forms, times);
  json document{{"name", name}, {"version", program_version()}, {"commit", program_commit()}};
  document["measured_on"] = processor_model();
  document["references"] = json::array();
  for (const std::string_view reference : kReferences) document["references"].push_back(reference);
  document["studies"] = studies(database);
  document["rejections"] = rejections(database);
  document["made"] = Rows(database, "SELECT strftime('%Y-%m-%d %H:%M', 'now') AS now").text(0, "now");
  json recipes = json::array();
  const auto trials = counts(database);
  const Rows stored(database,
                    "SELECT recipe_id, recipe, text FROM recipes"
                    " ORDER BY text IN (SELECT recipe FROM studies WHERE kind = 'search') DESC, done DESC, recipe_id");
  ReportLimits share = limits;
  share.epoch_rows /= std::max(1, static_cast<int>(stored.size()));
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const Id id = integer(stored.at(i, "recipe_id"));
    json recipe = RecipeData(database, functions, share, id, stored.text(i, "text")).take();
    recipe["name"] = stored.text(i, "recipe");
    recipe["text"] = stored.text(i, "text");
    const auto count = trials.find(id);
    recipe["counts"] = count == trials.end() ? json::object() : count->second;
    recipes.push_back(std::move(recipe));
  }
  document["recipes"] = std::move(recipes);
  document["functions"] = functions.take();
  document["tags"] = forms.tags();
  std::string text;
  for (const char c : document.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace actsearch
