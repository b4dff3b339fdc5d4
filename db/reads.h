/// What searches, finalists, races and pages read of a file beside its rankings: typed rows, so that no number passes through text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/database.h"

namespace actsearch {

/// The accuracies that a finished trial has, 0..1.
enum class Score : std::uint8_t {
  kValidation,
  kFinalTest,  ///< of the last epoch
  kBestTest    ///< the highest of any epoch
};

/// Where a trial is (docs/schema.md, "A trial's life").
enum class TrialStatus : std::uint8_t { kRunning, kDone, kFailed, kReleased };

/// A trial of a study, and how far it has come.
struct StudyTrial {
  TrialStatus status = TrialStatus::kRunning;
  int epochs = 0;          ///< whole ones that are stored
  std::int64_t steps = 0;  ///< of the next, at its furthest pause there
};

/// A function's ended trials under a recipe.
struct FunctionScore {
  Id candidate = 0;
  std::optional<double> accuracy;  ///< mean; absent where all failed
  int finished = 0;                ///< trials that have an accuracy
  double seconds = 0;              ///< of these
};

struct StoredRecipe {
  Id id = 0;
  std::string name, text;
  std::int64_t finished = 0;  ///< trials
};

struct TrialCounts {
  std::int64_t done = 0, failed = 0, unfinished = 0;
};

/// The function with the highest mean under a recipe.
struct BestFunction {
  std::string label;  ///< its name, or its formula where it has none
  double accuracy = 0;
};

/// Reads through a Database, which outlives it; each call is one consistent look. Errors as Database's: DatabaseError.
class Reads {
 public:
  explicit Reads(const Database& database) : database_(database) {}

  /// One score of a function's finished trials under a recipe, by seed. Trials without it are left out.
  std::map<std::uint64_t, double> scores(Id candidate, Id recipe, Score score) const;
  /// The highest seed from `first` to `last` that a trial of the recipe has.
  std::optional<std::uint64_t> highest_seed(Id recipe, std::uint64_t first, std::uint64_t last) const;
  /// Seeds of a function's ended trials under a recipe, in no order.
  std::vector<std::uint64_t> ended_seeds(std::string_view fingerprint, Id recipe) const;
  /// Why the first of a function's failed trials under one of two recipes failed; empty where none did.
  std::string failure(Id candidate, Id recipe, Id other_recipe) const;
  /// The functions that have ended trials under a recipe.
  std::vector<FunctionScore> function_scores(Id recipe) const;
  std::optional<BestFunction> best(Id recipe) const;
  /// What the finished trials of a function under a recipe learned, as docs/schema.md writes trials.beta, by seed.
  std::vector<std::string> learned_betas(Id candidate, Id recipe) const;

  /// A study's conditions, as StudyRecord has them; absent without such a study.
  std::optional<std::string> conditions(Id study) const;
  /// The steps of an epoch that a study's pauses tell; 0 where none has.
  std::int64_t epoch_steps(Id study) const;
  /// The trials of a study under a recipe.
  std::vector<StudyTrial> trials(Id study, Id recipe) const;

  /// Every recipe of the file.
  std::vector<StoredRecipe> recipes() const;
  TrialCounts counts(Id recipe) const;
  /// For people: a line for each trial of a function under a recipe whose seed is from `first` to `last`, with its test accuracies in per
  /// cent.
  Table reruns(Id candidate, Id recipe, std::uint64_t first, std::uint64_t last) const;
  /// Equal texts mean that what a page shows has not changed. Progress inside a trial counts in whole per cent.
  std::string change_token() const;

 private:
  const Database& database_;
};

}  // namespace actsearch
