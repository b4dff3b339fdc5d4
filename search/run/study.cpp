#include "search/run/study.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "evaluator/external/conditions.h"
#include "evaluator/network/plan.h"
#include "grammar/hash.h"
#include "search/run/told.h"
#include "search/text/format.h"

namespace actsearch {
namespace {

/// Of a study's conditions: what its strategy or its race learns with.
constexpr const char* kModel = "model";
/// Of the race in them: absent where the loss decides.
constexpr const char *kPromoteBy = "promote_by", *kPrediction = "prediction";

bool by_predictions(const SearchPlan& plan) { return plan.run.racing && plan.run.racing->promote_by == PromoteBy::kPrediction; }

/// A study's conditions without its model, and the model: null where there is none.
std::pair<nlohmann::ordered_json, nlohmann::ordered_json> without_model(const StudyRecord& study) {
  auto conditions = nlohmann::ordered_json::parse(study.conditions, nullptr, /*allow_exceptions=*/false);
  nlohmann::ordered_json model;
  if (conditions.is_object() && conditions.contains(kModel)) {
    model = conditions[kModel];
    conditions.erase(kModel);
  }
  return {std::move(conditions), std::move(model)};
}

auto identity(const StudyRecord& study) { return std::tie(study.kind, study.space, study.strategy, study.seed, study.recipe, study.data); }

std::vector<std::string> names(const std::vector<const OperatorInfo*>& operators) {
  std::vector<std::string> list;
  for (const OperatorInfo* info : operators) list.emplace_back(info->name);
  return list;
}

/// The references first, the others in their order; the first one last.
std::vector<const NamedActivation*> baselines_in_turn() {
  const auto place = [](const NamedActivation* named) {
    return std::find(std::begin(kReferences), std::end(kReferences), named->name) - std::begin(kReferences);
  };
  std::vector<const NamedActivation*> all;
  for (const NamedActivation& named : baselines()) all.push_back(&named);
  std::stable_sort(all.begin(), all.end(), [&](const NamedActivation* a, const NamedActivation* b) { return place(a) < place(b); });
  std::reverse(all.begin(), all.end());
  return all;
}

}  // namespace

StudyRecord to_record(const SearchPlan& plan) {
  nlohmann::ordered_json conditions = {{"unary", names(plan.space.unary())},
                                       {"binary", names(plan.space.binary())},
                                       {"epochs", plan.run.recipe.epochs},
                                       {"seeds", plan.run.seeds}};
  if (plan.run.racing) {
    auto rungs = nlohmann::ordered_json::array();  // whole epochs as a number, others as [epochs, steps]
    for (const auto& [epochs, steps] : plan.run.racing->rungs) {
      rungs.push_back(steps == 0 ? nlohmann::ordered_json(epochs) : nlohmann::ordered_json{epochs, steps});
    }
    conditions["racing"] = {{"rungs", rungs}, {"eta", plan.run.racing->eta}};
    if (by_predictions(plan)) conditions["racing"][kPromoteBy] = kPrediction;
  }
  if (plan.run.trial_limit) conditions["trial_seconds"] = plan.run.trial_limit->count();
  std::string model(find_strategy(plan.strategy).model);
  if (by_predictions(plan)) model += (model.empty() ? "" : "; ") + std::string(kEndModel);
  if (!model.empty()) conditions[kModel] = model;
  return {.kind = "search",
          .space = plan.space.name(),
          .strategy = plan.strategy,
          .seed = plan.run.seed,
          .recipe = plan.run.recipe_text,
          .data = plan.data,
          .conditions = conditions.dump(),
          .commit = plan.commit,
          .machine = plan.machine};
}

void require_same_model(const Store& database, const StudyRecord& record) {
  const auto [conditions, model] = without_model(record);
  if (!model.is_string()) return;
  for (const StudyRecord& other : database.studies()) {
    if (identity(other) != identity(record)) continue;
    const auto [its_conditions, its_model] = without_model(other);
    if (its_conditions != conditions || its_model == model) continue;
    throw std::invalid_argument("the file has this study with another model of how functions train: it began with '" +
                                (its_model.is_string() ? its_model.get<std::string>() : "none") + "', and this program has '" +
                                model.get<std::string>() + "'. Go on with the program that began it, or begin another study with --seed");
  }
}

void settle_race(const Store& database, const RaceChoice& choice, SearchPlan& plan) {
  Racing& racing = plan.run.racing.value();
  const auto set = [&](PromoteBy promote_by) {
    racing.promote_by = promote_by;
    racing.eta = choice.eta.value_or(usual_eta(promote_by));
  };
  if (choice.promote_by) return set(*choice.promote_by);
  const std::vector<StudyRecord> studies = database.studies();
  const auto has = [&](PromoteBy promote_by) {
    set(promote_by);
    const StudyRecord record = to_record(plan);
    return std::any_of(studies.begin(), studies.end(), [&](const StudyRecord& study) {
      return identity(study) == identity(record) && without_model(study).first == without_model(record).first;
    });
  };
  const bool goes_on_by_loss = has(PromoteBy::kLoss) && !has(PromoteBy::kPrediction);
  set(goes_on_by_loss ? PromoteBy::kLoss : PromoteBy::kPrediction);
}

Recipe fitted(Recipe recipe, const Dataset& dataset) {
  try {
    recipe.network = for_images(recipe.network, dataset.shape);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("recipe " + recipe.name + ": " + error.what());
  }
  const bool validates = recipe.validation_size > 0;
  recipe.validation_size = std::min(recipe.validation_size, static_cast<int>(dataset.train.size() / 10));
  recipe.train_size = std::min(recipe.train_size, static_cast<int>(dataset.train.size()) - recipe.validation_size);
  if (validates && dataset.name != "synthetic" && recipe.validation_size < dataset.shape.classes) {
    throw DataError("there are too few images to validate: a tenth of the " + std::to_string(dataset.train.size()) +
                    " training images is less than one of each of the " + std::to_string(dataset.shape.classes) +
                    " classes; give at least " + std::to_string(10 * dataset.shape.classes) + " training images");
  }
  (void)steps_per_epoch(recipe, dataset.train.size());  // or there is not one
  return recipe;
}

std::string summary(const Recipe& recipe) {
  return recipe.name + " for " + std::to_string(recipe.epochs) + (recipe.epochs == 1 ? " epoch" : " epochs") + " (batch " +
         std::to_string(recipe.batch) + ", rate " + exact(recipe.schedule.peak) + ")";
}

std::string conditions_text(const Recipe& recipe, Precision precision, const std::string& data) {
  return to_text(recipe, precision) + " data=" + data;
}

std::optional<Conditions> read_conditions(const std::string& text, const Dataset& dataset) {
  const auto value = [&text](const std::string& key) {
    const std::size_t at = text.find(" " + key + "=");
    if (at == std::string::npos) return std::string();
    const std::size_t first = at + key.size() + 2;
    return text.substr(first, text.find(' ', first) - first);
  };
  const auto read = [&value](const std::string& key, auto* number) {
    const std::string digits = value(key);
    std::from_chars(digits.data(), digits.data() + digits.size(), *number);
  };
  for (const Recipe& known : recipes()) {
    if (!text.starts_with(known.name + " ")) continue;  // it need not even suit the data
    Recipe recipe = known;
    read("epochs", &recipe.epochs);
    read("batch", &recipe.batch);
    read("peak", &recipe.schedule.peak);
    Conditions conditions{fitted(recipe, dataset), Precision::kFp32};
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      conditions.precision = precision;
      if (conditions_text(conditions.recipe, precision, dataset.source) == text) return conditions;
    }
  }
  // A recipe of the user's own.
  if (const auto own = read_recipe(text)) {
    if (conditions_text(own->first, own->second, dataset.source) == text) return Conditions{own->first, own->second};
  }
  return std::nullopt;
}

ScoreScale score_scale(const std::string& conditions) {
  if (const auto told = read_told(conditions); told && !(told->share() && told->metric == ToldConditions{}.metric))
    return {.name = told->metric, .share = told->share(), .negated = told->minimize};
  const auto external = read_external_conditions(conditions);
  if (!external) {
    if (score_measure(conditions) != ScoreMeasure::kValidationLoss) return {};
    return {.name = "validation loss", .share = false, .negated = true};
  }
  return {.name = external->metric,
          .share = !external->minimize && external->lowest == 0 && external->highest == 1,
          .negated = external->minimize};
}

std::optional<Racing> read_racing(const std::string& conditions) {
  const auto stored = nlohmann::json::parse(conditions, nullptr, /*allow_exceptions=*/false);
  const auto racing = stored.is_object() ? stored.find("racing") : stored.end();
  if (racing == stored.end() || !racing->is_object() || !racing->contains("rungs")) return std::nullopt;
  Racing race{.rungs = {}, .steps_per_epoch = 1, .eta = Racing{}.eta, .always = {}};
  for (const auto& rung : racing->at("rungs")) {
    if (rung.is_number_integer())
      race.rungs.push_back({rung.get<int>(), 0});
    else if (rung.is_array() && rung.size() == 2 && rung[0].is_number_integer() && rung[1].is_number_integer())
      race.rungs.push_back({rung[0].get<int>(), rung[1].get<std::int64_t>()});
  }
  if (const auto eta = racing->find("eta"); eta != racing->end() && eta->is_number()) race.eta = eta->get<double>();
  if (const auto by = racing->find(kPromoteBy); by != racing->end() && *by == kPrediction) race.promote_by = PromoteBy::kPrediction;
  return race;
}

void require_end_model(const std::string& conditions) {
  const auto stored = nlohmann::json::parse(conditions, nullptr, /*allow_exceptions=*/false);
  const std::string model = stored.is_object() && stored.contains(kModel) && stored[kModel].is_string() ? stored[kModel] : "none";
  if (model.ends_with(kEndModel)) return;
  throw std::invalid_argument("the race predicts with another model: it began with '" + model + "', and this program has '" +
                              std::string(kEndModel) + "'. Go on with the program that began it");
}

std::vector<TrainingPoint> read_rungs(const std::string& conditions) {
  const auto racing = read_racing(conditions);
  return racing ? racing->rungs : std::vector<TrainingPoint>{};
}

std::string note_on_precision(const Store& database, const RunPlan& run) {
  if (database.trials(run.recipe_text) > 0) return "";
  const Precision other = run.precision == Precision::kBf16 ? Precision::kFp32 : Precision::kBf16;
  const std::string data = run.recipe_text.substr(to_text(run.recipe, run.precision).size());
  const std::int64_t trials = database.trials(to_text(run.recipe, other) + data);
  if (trials == 0) return "";
  const std::string theirs(to_text(other));
  return "note: the file has " + std::to_string(trials) + (trials == 1 ? " trial" : " trials") + " of this recipe in " + theirs +
         ", and this run begins anew in " + std::string(to_text(run.precision)) + "; --precision " + theirs + " would go on with them";
}

std::string note_on_data(const Dataset& dataset) {
  if (dataset.name != "synthetic") return "";
  return "NOTE: these are drawn images, not CIFAR-10. Scores on them show how the program works, not which function is better.\n"
         "      actsearch data fetch data   downloads CIFAR-10; the same command then begins a search on it";
}

StudyCandidates::StudyCandidates(Store& database, Id study, const SearchPlan& plan, const std::atomic<bool>& interrupt)
    : database_(database),
      study_(study),
      recipe_(database.recipe(plan.run.recipe.name, plan.run.recipe_text)),
      plan_(plan),
      interrupt_(interrupt),
      strategy_(make_strategy(plan.strategy, plan.space, plan.run.seed)),
      baselines_(plan.baselines ? baselines_in_turn() : std::vector<const NamedActivation*>()) {
  if (!strategy_->learns()) return;
  const std::vector<Observation> before = database.observations(study);
  // Its draws go on where nobody has drawn before, not from the start.
  if (!before.empty() && !strategy_->draws_by_observations())
    strategy_ = make_strategy(plan.strategy, plan.space, mixed(plan.run.seed + before.size()));
  for (const Observation& seen : before) strategy_->observe(seen.place, seen.accuracy);
}

std::optional<Candidate> StudyCandidates::next() {
  baseline_was_last_ = !baseline_was_last_;
  if (baseline_was_last_) {
    if (auto candidate = next_baseline()) return candidate;
  }
  if (auto candidate = propose()) return candidate;
  return next_baseline();
}

std::optional<Candidate> StudyCandidates::next_baseline() {
  while (given_ < plan_.given.size()) {
    const Candidate& candidate = plan_.given[given_++];
    if (fingerprints_.insert(candidate.fingerprint).second) return candidate;
    ++repeated_;
  }
  while (!baselines_.empty()) {
    const NamedActivation& baseline = *baselines_.back();
    baselines_.pop_back();
    if (auto candidate = accept(baseline.expression)) {
      candidate->name = baseline.name;
      return candidate;
    }
  }
  return std::nullopt;
}

std::optional<Candidate> StudyCandidates::propose() {
  for (int in_vain = 0; !interrupt_ && in_vain < kMostInVain; in_vain += strategy_->learns() ? 1 : 0) {
    const auto place = strategy_->propose();
    if (!place) return std::nullopt;
    auto considered = consider(plan_.space.at(*place));
    if (const auto* refusal = std::get_if<Refusal>(&considered)) {
      ++rejected_;
      database_.reject(study_, refusal->formula, refusal->reason);
      strategy_->observe(*place, std::nullopt);
      continue;
    }
    auto& candidate = std::get<Candidate>(considered);
    const bool met = !fingerprints_.insert(candidate.fingerprint).second;
    if (known(*place, candidate.fingerprint, met)) {
      repeated_ += met ? 1 : 0;
      continue;
    }
    candidate.index = place;
    return std::move(candidate);
  }
  return std::nullopt;
}

bool StudyCandidates::known(std::uint64_t place, const std::string& fingerprint, bool met) {
  if (!strategy_->learns()) return met;
  if (const auto score = scores_.find(fingerprint); score != scores_.end()) {
    strategy_->observe(place, score->second);
    return true;
  }
  if (const auto stored = database_.score(fingerprint, recipe_)) {
    scores_[fingerprint] = *stored;
    strategy_->observe(place, *stored);
    return true;
  }
  auto& others = also_at_[fingerprint];
  if (met) others.push_back(place);  // in training now
  return met;
}

void StudyCandidates::observe(const Candidate& candidate, std::optional<double> accuracy) {
  if (candidate.index) strategy_->observe(*candidate.index, accuracy);
  if (!strategy_->learns()) return;
  scores_[candidate.fingerprint] = accuracy;
  if (const auto others = also_at_.find(candidate.fingerprint); others != also_at_.end()) {
    for (const std::uint64_t place : others->second) strategy_->observe(place, accuracy);
    others->second.clear();
  }
}

std::string StudyCandidates::expected(const Candidate& candidate) const {
  const auto expectation = candidate.index ? strategy_->expected(*candidate.index) : std::nullopt;
  if (!expectation) return "";
  const ScoreScale& scale = plan_.run.scale;
  return "expected " + scale.value(expectation->accuracy) + " ± " + scale.amount(expectation->deviation) + ", failure " +
         fixed(100 * expectation->failure, 0) + " %";
}

std::optional<Candidate> StudyCandidates::accept(const Expression& expression) {
  auto considered = consider(expression);
  if (const auto* refusal = std::get_if<Refusal>(&considered)) {
    ++rejected_;
    database_.reject(study_, refusal->formula, refusal->reason);
    return std::nullopt;
  }
  auto& candidate = std::get<Candidate>(considered);
  if (!fingerprints_.insert(candidate.fingerprint).second) {
    ++repeated_;
    return std::nullopt;
  }
  return std::move(candidate);
}

SearchReport run_search(Store& database, const SearchPlan& plan, const Evaluator& evaluator, Progress& progress,
                        const std::atomic<bool>& interrupt) {
  SearchReport report;
  const StudyRecord record = to_record(plan);
  require_same_model(database, record);
  report.study = database.study(record);
  StudyCandidates candidates(database, report.study, plan, interrupt);
  RunPlan run = plan.run;
  run.goes_on = true;
  if (run.racing && plan.baselines) run.racing->always.assign(std::begin(kReferences), std::end(kReferences));
  report.run = run_trials(database, report.study, run, candidates, evaluator, progress, interrupt);
  remove_if_empty(run.checkpoints);
  report.candidates = candidates.candidates();
  report.rejected = candidates.rejected();
  report.repeated = candidates.repeated();
  return report;
}

}  // namespace actsearch
