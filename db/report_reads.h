/// What the page of a whole search reads beside its rankings (search/report/report_data), as typed rows. The oldest come first, unless a
/// comment says otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/records.h"

namespace actsearch {

struct DatedStudy {
  Id id = 0;
  StudyRecord record;
  std::string created;  ///< UTC, as docs/schema.md writes times
};

struct RejectionCount {
  Id study = 0;
  std::string reason;
  std::int64_t n = 0;
};

/// How many trials of a recipe are in a state: a status of docs/schema.md, or "left" where the process at work on them is gone.
struct StateCount {
  Id recipe = 0;
  std::string state;
  std::int64_t n = 0;
};

struct FinishedTrial {
  Id trial = 0, candidate = 0;
  std::uint64_t seed = 0;
  std::optional<double> accuracy;  ///< validation accuracy, or the final test accuracy where nothing validates
  std::optional<double> best_test_accuracy, final_test_accuracy, train_loss;
  std::string beta;  ///< JSON, as docs/schema.md writes trials.beta; empty without
  std::optional<double> epochs, seconds;
};

/// A trial with its function.
struct TrialOf {
  Id trial = 0, candidate = 0;
  std::string formula, name;
  std::uint64_t seed = 0;
};

struct UnfinishedRow : TrialOf {
  std::string status;
  std::int64_t epochs = 0;  ///< that are stored
};

struct RunningRow : TrialOf {
  std::optional<double> epochs, planned;  ///< trained, and of the whole trial
  std::optional<double> lease, seconds;   ///< that the lease lasts from now, and that the trial has run for
};

struct FailedRow : TrialOf {
  std::string reason, detail;
  std::optional<double> epochs, seconds;
};

struct EpochRow {
  Id trial = 0;
  std::int64_t epoch = 0;
  std::optional<double> train_loss, train_accuracy, validation_loss, validation_accuracy, test_accuracy;
};

/// Each call is one consistent look, and may throw a DatabaseError.
class ReportReads {
 public:
  ReportReads() = default;
  virtual ~ReportReads() = default;
  ReportReads(const ReportReads&) = delete;
  ReportReads& operator=(const ReportReads&) = delete;

  virtual std::string now() const = 0;  ///< "2026-01-31 12:00", UTC
  virtual std::vector<DatedStudy> studies() const = 0;
  /// By study, the most frequent first.
  virtual std::vector<RejectionCount> rejections() const = 0;
  virtual std::vector<StateCount> states() const = 0;
  virtual bool has_function_named(std::string_view name) const = 0;

  /// Ids and texts, those of searches first, then by finished trials.
  struct RecipeText {
    Id id = 0;
    std::string name, text;
  };
  virtual std::vector<RecipeText> recipes() const = 0;

  // Of one recipe:
  virtual std::int64_t ranked_functions(Id recipe) const = 0;
  /// Functions that a race has paused and that have no finished trial.
  virtual std::int64_t paused_functions(Id recipe) const = 0;
  virtual std::vector<Id> searches(Id recipe) const = 0;
  virtual std::vector<FinishedTrial> finished(Id recipe, std::span<const Id> candidates) const = 0;
  /// Trials that have epochs and have not ended: those at work first, then those furthest on.
  virtual std::vector<UnfinishedRow> unfinished(Id recipe, int limit) const = 0;
  virtual std::vector<RunningRow> running(Id recipe, int limit) const = 0;
  /// Of the finished trials of these functions, and of these trials; by trial and epoch.
  virtual std::vector<EpochRow> epochs(Id recipe, std::span<const Id> candidates, std::span<const Id> trials) const = 0;
  virtual std::vector<FailedRow> failures(Id recipe, int limit) const = 0;
  /// The most frequent first.
  virtual std::vector<std::pair<std::string, std::int64_t>> failure_reasons(Id recipe) const = 0;
};

}  // namespace actsearch
