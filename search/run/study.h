/// A search: baselines and a strategy's proposals in one space, examined, trained and remembered.
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
  bool baselines = false;        ///< the named functions too, in turn with the proposals
  std::vector<Candidate> given;  ///< these too, before the named ones
  std::string data;              ///< Dataset::source
  std::string commit, machine;
};

struct SearchReport {
  RunReport run;
  Id study = 0;
  std::int64_t candidates = 0;  ///< distinct functions met
  std::int64_t rejected = 0;    ///< spellings refused
  std::int64_t repeated = 0;    ///< spellings of a function met before
};

/// The recipe, with at most a tenth of the training set for validation and the rest for training: for sets smaller than CIFAR-10.
/// std::invalid_argument where the rest is less than one batch.
Recipe fitted(Recipe recipe, const Dataset& dataset);

/// "vgg16-slim for 3 epochs (batch 128, rate 0.1)", for people.
std::string summary(const Recipe& recipe);

/// The text under which trials are comparable: recipe, precision and data.
std::string conditions_text(const Recipe& recipe, Precision precision, const std::string& data);

/// What a conditions_text says, with the data at hand.
struct Conditions {
  Recipe recipe;
  Precision precision = Precision::kFp32;
};
/// Absent where the text is not that of a recipe of this version, or of other data.
std::optional<Conditions> read_conditions(const std::string& text, const Dataset& dataset);

/// The rungs of the race that a study's stored conditions describe; none where it is no race.
std::vector<TrainingPoint> read_rungs(const std::string& conditions);

/// What to tell who goes on with a file on a processor that trains in another precision: that its trials are not gone on with, and how they
/// would be. Empty where the file has no such trials, or has some under the run's own conditions.
std::string note_on_precision(const Database& database, const RunPlan& run);

/// What to say, at a run's begin and beside its results, of data that are no photographs. Empty for CIFAR-10.
std::string note_on_data(const Dataset& dataset);

/// Runs the study that the plan describes, or goes on with it: the same plan is the same study, and the order of its proposals
/// depends on the plan alone. What baselines, budgets and jobs are does not make it another study. Errors as run_trials.
SearchReport run_search(Database& database, const SearchPlan& plan, const Evaluator& evaluator, Progress& progress,
                        const std::atomic<bool>& interrupt);

/// The candidates of a study: each function once, however it is spelled; what is refused is stored with its reason. Baselines take turns
/// with proposals, beginning with the references (kReferences). A strategy that learns is first told the study's stored results, and of a
/// function that it proposes again, or that has been trained under the recipe before, the stored score, at no cost. It ends when
/// kMostInVain proposals in a row bring nothing new.
class StudyCandidates : public CandidateSource {
 public:
  /// All references outlive the object.
  StudyCandidates(Database& database, Id study, const SearchPlan& plan, const std::atomic<bool>& interrupt);
  std::optional<Candidate> next() override;
  void observe(const Candidate& candidate, std::optional<double> accuracy) override;

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
  Database& database_;
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
