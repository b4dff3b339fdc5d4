/// A search: a strategy proposes functions of a space, baselines join them; each is examined, trained and stored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "evaluator/data/dataset.h"
#include "grammar/operators.h"
#include "grammar/space.h"
#include "search/run/runner.h"
#include "search/strategies/strategy.h"

namespace actsearch {

struct SearchPlan {
  RunPlan run;
  Space space;
  std::string strategy = "random";
  bool baselines = false;        ///< whether the named functions take turns with the proposals
  std::vector<Candidate> given;  ///< functions that also take turns, before the named ones
  std::string data;              ///< Dataset::source
  std::string commit, machine;
};

struct SearchReport {
  RunReport run;
  Id study = 0;
  std::int64_t candidates = 0;  ///< distinct functions that the run met
  std::int64_t rejected = 0;    ///< refused spellings
  std::int64_t repeated = 0;    ///< spellings of functions that the run had met
};

/// The recipe fitted to the data: its network takes their shape, and at most a tenth of the training set validates, the rest trains.
/// std::invalid_argument where the network does not suit the shape (for_images) or the rest does not fill one batch; DataError where those
/// that validate are fewer than the classes.
Recipe fitted(Recipe recipe, const Dataset& dataset);

/// "vgg16-slim for 3 epochs (batch 128, rate 0.1)", for people.
std::string summary(const Recipe& recipe);

/// The text of the conditions: recipe, precision and data. Trials are comparable only where it is equal.
std::string conditions_text(const Recipe& recipe, Precision precision, const std::string& data);

/// A conditions_text that has been read back.
struct Conditions {
  Recipe recipe;
  Precision precision = Precision::kFp32;
};
/// Absent where the text names a recipe that this version does not have, or other data.
std::optional<Conditions> read_conditions(const std::string& text, const Dataset& dataset);

/// How scores under these conditions (conditions_text, or to_text of ExternalConditions or ToldConditions) are written.
ScoreScale score_scale(const std::string& conditions);

/// The record by which the plan's study is found again.
StudyRecord to_record(const SearchPlan& plan);

/// A study goes on with the models that it began with (StrategyInfo::model, kEndModel). std::invalid_argument where the file has the
/// record's study with others.
void require_same_model(const Store& database, const StudyRecord& record);

/// Sets how the plan's race promotes, and its eta. Where nobody has chosen it promotes as the file's race of the same study does, else by
/// predictions. The plan has a race.
void settle_race(const Store& database, const RaceChoice& choice, SearchPlan& plan);

/// The rungs, eta and promotion in a study's stored conditions; absent where the study is no race.
std::optional<Racing> read_racing(const std::string& conditions);
/// std::invalid_argument unless a race with these conditions, which promotes by predictions, began with this program's model of ends.
void require_end_model(const std::string& conditions);
/// The rungs alone; empty where the study is no race.
std::vector<TrainingPoint> read_rungs(const std::string& conditions);

/// A warning for people who continue a file on a processor that trains in another precision. It says that the stored trials do not count
/// here, and which flag makes them count. Empty where there are no such trials, or where some have the run's own conditions.
std::string note_on_precision(const Store& database, const RunPlan& run);

/// A note, for the start of a run and beside its results, that the data are no photographs. Empty for CIFAR-10.
std::string note_on_data(const Dataset& dataset);

/// Runs the plan's study, or continues it. The same plan is the same study, and its proposals depend on the plan alone. Other baselines,
/// budgets or jobs do not make another study. Errors as run_trials.
SearchReport run_search(Store& database, const SearchPlan& plan, const Evaluator& evaluator, Progress& progress,
                        const std::atomic<bool>& interrupt);

/// The candidates of a study: each function once, however it is spelled. Refused formulas are stored with their reason. Baselines take
/// turns with proposals; the references (kReferences) come first. A strategy that learns first observes the study's stored results. When it
/// proposes a function whose score is stored, it observes that score at no cost. The stream ends when kMostInVain proposals in a row bring
/// nothing new.
class StudyCandidates : public CandidateSource {
 public:
  /// All references outlive the object.
  StudyCandidates(Store& database, Id study, const SearchPlan& plan, const std::atomic<bool>& interrupt);
  std::optional<Candidate> next() override;
  void observe(const Candidate& candidate, std::optional<double> accuracy) override;
  std::string expected(const Candidate& candidate) const override;

  bool learns() const override { return strategy_->learns(); }
  std::int64_t candidates() const { return static_cast<std::int64_t>(fingerprints_.size()); }
  std::int64_t rejected() const { return rejected_; }
  std::int64_t repeated() const { return repeated_; }

 private:
  std::optional<Candidate> accept(const Expression& expression);
  /// The next of the given and the named functions that has not been met, or absent when there is none.
  std::optional<Candidate> next_baseline();
  /// The next candidate of the strategy, or absent when there is none.
  std::optional<Candidate> propose();
  /// Whether the place's function needs no trial. The strategy has been told its score then, or will be when its trial ends. `met`:
  /// in this run.
  bool known(std::uint64_t place, const std::string& fingerprint, bool met);

  static constexpr int kMostInVain = 5'000;
  Store& database_;
  const Id study_;
  const Id recipe_;
  const SearchPlan& plan_;
  const std::atomic<bool>& interrupt_;
  std::unique_ptr<Strategy> strategy_;
  std::vector<const NamedActivation*> baselines_;  ///< that are still to come, the next one last
  std::size_t given_ = 0;                          ///< of the plan's, how many had their turn
  bool baseline_was_last_ = false;                 ///< whose turn it was
  std::unordered_set<std::string> fingerprints_;
  // Of a strategy that learns:
  std::unordered_map<std::string, std::optional<double>> scores_;        ///< of functions whose trials ended, by fingerprint
  std::unordered_map<std::string, std::vector<std::uint64_t>> also_at_;  ///< places that were proposed while the function was in training
  std::int64_t rejected_ = 0, repeated_ = 0;
};

}  // namespace actsearch
