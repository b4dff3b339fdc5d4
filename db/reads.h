/// What searches, finalists, races and pages read of a file beside its rankings: typed rows, so that no number passes through text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/records.h"

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

/// Each call is one consistent look, and may throw a DatabaseError.
class Reads {
 public:
  Reads() = default;
  virtual ~Reads() = default;
  Reads(const Reads&) = delete;
  Reads& operator=(const Reads&) = delete;

  /// One score of a function's finished trials under a recipe, by seed. Trials without it are left out.
  virtual std::map<std::uint64_t, double> scores(Id candidate, Id recipe, Score score) const = 0;
  /// The highest seed from `first` to `last` that a trial of the recipe has.
  virtual std::optional<std::uint64_t> highest_seed(Id recipe, std::uint64_t first, std::uint64_t last) const = 0;
  /// Seeds of a function's ended trials under a recipe, in no order.
  virtual std::vector<std::uint64_t> ended_seeds(std::string_view fingerprint, Id recipe) const = 0;
  /// Why the first of a function's failed trials under one of two recipes failed; empty where none did.
  virtual std::string failure(Id candidate, Id recipe, Id other_recipe) const = 0;
  /// The functions that have ended trials under a recipe.
  virtual std::vector<FunctionScore> function_scores(Id recipe) const = 0;
  virtual std::optional<BestFunction> best(Id recipe) const = 0;
  /// What the finished trials of a function under a recipe learned, as docs/schema.md writes trials.beta, by seed.
  virtual std::vector<std::string> learned_betas(Id candidate, Id recipe) const = 0;

  /// A study's conditions, as StudyRecord has them; absent without such a study.
  virtual std::optional<std::string> conditions(Id study) const = 0;
  /// The steps of an epoch that a study's pauses tell; 0 where none has.
  virtual std::int64_t epoch_steps(Id study) const = 0;
  /// The trials of a study under a recipe.
  virtual std::vector<StudyTrial> trials(Id study, Id recipe) const = 0;

  /// Every recipe of the file.
  virtual std::vector<StoredRecipe> recipes() const = 0;
  virtual TrialCounts counts(Id recipe) const = 0;
  /// For people: a line for each trial of a function under a recipe whose seed is from `first` to `last`, with its test accuracies in per
  /// cent.
  virtual Table reruns(Id candidate, Id recipe, std::uint64_t first, std::uint64_t last) const = 0;
};

}  // namespace actsearch
