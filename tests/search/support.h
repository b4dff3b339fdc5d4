/// A directory of its own for each test, a stand-in for training, and the program run as a process.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "db/sqlite/store.h"
#include "search/run/study.h"

namespace actsearch::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "actsearch-search-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// What a run of trials needs besides its plan: a database in a directory of its own, and somebody to tell.
class RunsOnDatabase : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "search.db";
  std::filesystem::path checkpoints_ = directory_.path() / "search.db.checkpoints";
  SqliteStore database_{file_, Store::Access::kCreate};
  std::ostringstream log_;
  Progress progress_{log_, {}};
  std::atomic<bool> interrupt_{false};
};

/// A result without training: an accuracy made from the function's value at 1 and the seed, and `recipe.epochs` epochs.
inline TrialOutcome fake_outcome(const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
  TrialOutcome outcome;
  const double y =
      evaluate_forward(candidate.program, 1.0, std::vector<double>(static_cast<std::size_t>(candidate.program.parameter_count()), 1.0));
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) {
    EpochMetrics metrics;
    metrics.epoch = epoch;
    metrics.train_loss = 1.0 / (epoch + 1);
    metrics.validation_accuracy = 0.5 + 0.1 * std::tanh(y) + 0.01 * static_cast<double>(options.seed);
    if (options.report_test) metrics.test_accuracy = metrics.validation_accuracy - 0.05 * ((epoch + 1) % 2);
    metrics.seconds = 0.001;
    outcome.epochs.push_back(metrics);
    if (options.on_epoch) options.on_epoch(metrics);
  }
  outcome.score = outcome.epochs.back().validation_accuracy;
  outcome.beta.assign(static_cast<std::size_t>(candidate.program.parameter_count()), {1.25, 0.1, 1.0, 1.5});
  outcome.seconds = 0.001 * recipe.epochs;
  return outcome;
}

/// A small space: 3 · 3 · 2 = 18 spellings.
inline SearchPlan small_plan() {
  SearchPlan plan{.run = {},
                  .space = Space("core1", std::vector<std::string>{"identity", "sigmoid", "tanh"}, std::vector<std::string>{"add", "mul"}),
                  .strategy = "exhaustive",
                  .baselines = false,
                  .given = {},
                  .data = "none",
                  .commit = "abc",
                  .machine = "a machine"};
  plan.run.recipe = find_recipe("vgg-s");
  plan.run.recipe_text = conditions_text(plan.run.recipe, plan.run.precision, plan.data);
  plan.run.jobs = 2;
  return plan;
}

/// The single cell of a query.
inline std::string cell(const Store& database, const std::string& sql) {
  const Table table = database.queries()->query(sql);
  if (table.rows.size() != 1 || table.columns.size() != 1) return "not one cell";
  return table.rows[0][0].value_or("NULL");
}

/// What a run of the program came to.
struct Ran {
  int code = -1;  ///< exit code, or minus the signal that ended it
  std::string out, err;
};

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace actsearch::testing
