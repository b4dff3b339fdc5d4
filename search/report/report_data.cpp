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

#include "db/report_reads.h"
#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "search/run/funnel.h"
#include "search/run/known_spread.h"
#include "search/run/study.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

using nlohmann::json;

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
json rounded(const std::optional<double>& value, int digits = kDigitsOfNumbers) { return value ? rounded(*value, digits) : json(nullptr); }

/// Seeds are 64 bits without sign; those that JavaScript's numbers cannot hold are texts.
json seed(std::uint64_t value) {
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
  RecipeData(const Store& database, FunctionTable& functions, const ReportLimits& limits, Id recipe, std::string text)
      : database_(database),
        reads_(database.report_reads()),
        functions_(functions),
        limits_(limits),
        recipe_(recipe),
        text_(std::move(text)) {
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
      // Of trials that somebody else trained neither need be known.
      columns.add("epochs", row.epochs > 0 ? json(row.epochs) : json(nullptr));
      columns.add("seconds", row.seconds > 0 ? rounded(row.seconds) : json(nullptr));
    }
    left_out_["functions"] = reads_.ranked_functions(recipe_) - static_cast<std::int64_t>(rows_.size());
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
    Columns columns;
    for (const FinishedTrial& trial : reads_.finished(recipe_, shown)) {
      const auto function = functions_.find(trial.candidate);
      if (!function) continue;  // finished since the ranking was read
      places_.emplace(trial.trial, places_.size());
      columns.add("function", *function);
      columns.add("seed", seed(trial.seed));
      columns.add("accuracy", rounded(trial.accuracy));
      columns.add("best_test_accuracy", rounded(trial.best_test_accuracy));
      columns.add("final_test_accuracy", rounded(trial.final_test_accuracy));
      columns.add("train_loss", rounded(trial.train_loss));
      columns.add("epochs", rounded(trial.epochs));
      columns.add("seconds", rounded(trial.seconds));
      columns.add("beta", betas(trial.beta));
    }
    std::int64_t done = 0;
    for (const LeaderboardRow& row : rows_) done += row.n;
    left_out_["trials"] = std::max<std::int64_t>(0, done - static_cast<std::int64_t>(places_.size()));
    return columns.take();
  }

  /// [[mean, deviation, min, max], …], one a parameter; null without any.
  static json betas(const std::string& text) {
    const json stored = json::parse(text.empty() ? "[]" : text, nullptr, false);
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
    for (const Id study : reads_.searches(recipe_)) {
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
    left_out_["paused"] = reads_.paused_functions(recipe_) - static_cast<std::int64_t>(provisional.rows.size());
    return columns.take();
  }

  /// Trials in progress or paused that have epochs. In the curves they follow the finished ones.
  json unfinished() {
    Columns columns;
    for (const UnfinishedRow& trial : reads_.unfinished(recipe_, limits_.unfinished)) {
      places_.emplace(trial.trial, places_.size());
      unfinished_.push_back(trial.trial);
      columns.add("function", functions_.place_of(trial.candidate, trial.formula, trial.name));
      columns.add("seed", seed(trial.seed));
      columns.add("status", trial.status);
      columns.add("epochs", trial.epochs);
    }
    return columns.take();
  }

  /// Trials that a process is at work on, with how long their leases last from now (seconds).
  json running() {
    Columns columns;
    for (const RunningRow& trial : reads_.running(recipe_, limits_.running)) {
      columns.add("function", functions_.place_of(trial.candidate, trial.formula, trial.name));
      columns.add("seed", seed(trial.seed));
      columns.add("epochs", rounded(trial.epochs));
      columns.add("planned", rounded(trial.planned));
      columns.add("lease", rounded(trial.lease));
      columns.add("seconds", rounded(trial.seconds));
    }
    return columns.take();
  }

  json epochs() {
    const std::vector<Id> shown =
        best_within(limits_.epoch_rows, [](const LeaderboardRow& row) { return std::int64_t{row.n} * row.epochs; });
    left_out_["curves"] = rows_.size() - shown.size();
    Columns columns;
    for (const EpochRow& epoch : reads_.epochs(recipe_, shown, unfinished_)) {
      const auto trial = places_.find(epoch.trial);
      if (trial == places_.end()) continue;
      columns.add("trial", trial->second);
      columns.add("epoch", epoch.epoch);
      columns.add("train_loss", rounded(epoch.train_loss, kDigitsOfCurves));
      columns.add("train_accuracy", rounded(epoch.train_accuracy, kDigitsOfCurves));
      columns.add("validation_loss", rounded(epoch.validation_loss, kDigitsOfCurves));
      columns.add("validation_accuracy", rounded(epoch.validation_accuracy, kDigitsOfCurves));
      columns.add("test_accuracy", rounded(epoch.test_accuracy, kDigitsOfCurves));
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
        columns.add("p_alone", rounded(row.compared->p_alone));
        columns.add("equal_within", rounded(row.compared->equal_within));
      }
      if (any) result.push_back({{"reference", *functions_.find(place->candidate)}, {"rows", columns.take()}});
    }
    return result;
  }

  json failures() {
    Columns columns;
    for (const FailedRow& trial : reads_.failures(recipe_, limits_.failures)) {
      columns.add("function", functions_.place_of(trial.candidate, trial.formula, trial.name));
      columns.add("seed", seed(trial.seed));
      columns.add("reason", trial.reason);
      columns.add("detail", trial.detail);
      columns.add("epochs", rounded(trial.epochs));
      columns.add("seconds", rounded(trial.seconds));
    }
    return columns.take();
  }

  json reasons() {
    json result = json::array();
    for (const auto& [reason, n] : reads_.failure_reasons(recipe_)) result.push_back({reason, n});
    return result;
  }

  const Store& database_;
  const ReportReads& reads_;
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

json studies(const ReportReads& reads) {
  json result = json::array();
  for (const DatedStudy& study : reads.studies()) {
    const StudyRecord& record = study.record;
    result.push_back({{"study", study.id},
                      {"seed", seed(record.seed)},
                      {"kind", record.kind},
                      {"space", record.space},
                      {"strategy", record.strategy},
                      {"recipe", record.recipe},
                      {"data", record.data},
                      {"conditions", record.conditions},
                      {"program_commit", record.commit},
                      {"machine", record.machine},
                      {"created", study.created}});
  }
  return result;
}

json rejections(const ReportReads& reads) {
  json result = json::array();
  for (const RejectionCount& count : reads.rejections()) result.push_back({count.study, count.reason, count.n});
  return result;
}

/// What is compared with is measured before anything else: it is in every picture.
void measure_references(const ReportReads& reads, KernelTimes& times) {
  times.begin();
  for (const std::string_view reference : kReferences) {
    if (reads.has_function_named(reference)) times.of(std::string(reference));
  }
}

}  // namespace

std::string report_json(const Store& database, const std::string& name, Forms& forms, KernelTimes& times, const ReportLimits& limits) {
  const ReportReads& reads = database.report_reads();
  measure_references(reads, times);
  FunctionTable functions(forms, times);
  json document{{"name", name}, {"version", program_version()}, {"commit", program_commit()}};
  document["measured_on"] = processor_model();
  document["references"] = json::array();
  for (const std::string_view reference : kReferences) document["references"].push_back(reference);
  document["studies"] = studies(reads);
  document["rejections"] = rejections(reads);
  document["made"] = reads.now();
  json recipes = json::array();
  std::map<Id, json> counts;
  for (const StateCount& count : reads.states()) counts[count.recipe][count.state] = count.n;
  const auto stored = reads.recipes();
  ReportLimits share = limits;
  share.epoch_rows /= std::max(1, static_cast<int>(stored.size()));
  for (const ReportReads::RecipeText& one : stored) {
    json recipe = RecipeData(database, functions, share, one.id, one.text).take();
    recipe["name"] = one.name;
    recipe["text"] = one.text;
    if (const ScoreScale scale = score_scale(one.text); !(scale == ScoreScale{}))
      recipe["scale"] = {{"name", scale.name}, {"share", scale.share}, {"negated", scale.negated}};
    const auto count = counts.find(one.id);
    recipe["counts"] = count == counts.end() ? json::object() : count->second;
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
