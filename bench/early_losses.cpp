/// The training losses of a stored search's candidates within their first half epoch, as CSV on standard output: with the final results
/// that the database holds, scripts/early_report.py tells from them how early a race can sort.
///
///     early_losses DATABASE DATA
///
/// One row for each trial of the lowest seed under the recipe with the most finished trials, trained anew with the database's recipe,
/// precision and data, one thread: the trial's number and the mean loss of each stretch of kStretch steps, empty from where a loss is not
/// finite.
#include <charconv>
#include <cstdio>
#include <iostream>

#include "db/open/open_store.h"
#include "evaluator/cpu/cpu_learner.h"
#include "evaluator/formats/data_source.h"
#include "evaluator/train/flush_denormals.h"
#include "grammar/notation.h"
#include "search/run/study.h"

namespace {

using namespace actsearch;

constexpr std::int64_t kStretch = 11, kStretches = 16;  // of 351 steps an epoch, under the default recipe on CIFAR-10: 1/32 each

/// A learner that keeps what each step lost.
class Recording : public CpuLearner {
 public:
  using CpuLearner::CpuLearner;
  std::span<const BatchResult> train(std::int64_t first, std::int64_t count) override {
    const auto results = CpuLearner::train(first, count);
    for (const BatchResult& result : results) loss_sums.push_back(result.loss_sum);
    return results;
  }
  std::vector<double> loss_sums;
};

/// The stored recipe, if the program knows it under the same text.
std::pair<Recipe, Precision> recipe_of(const std::string& name, const std::string& text, const Dataset& dataset) {
  for (const Precision precision : {Precision::kBf16, Precision::kFp32}) {
    Recipe recipe = fitted(find_recipe(name), dataset);
    if (conditions_text(recipe, precision, dataset.source) == text) return {recipe, precision};
  }
  throw std::runtime_error("the database's recipe or data are not those here: " + text);
}

int measure(const std::string& file, const std::string& data) {
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& database = *store;
  const Dataset dataset = find_dataset(data, [](const std::string& line) { std::cerr << line << '\n'; });
  const Table chosen = database.queries()->query("SELECT recipe_id, recipe, text FROM recipes ORDER BY done DESC LIMIT 1");
  const auto [recipe, precision] = recipe_of(chosen.rows.at(0)[1].value(), chosen.rows[0][2].value(), dataset);
  const Table trials = database.queries()->query("SELECT trial, formula, seed FROM trials WHERE recipe_id = " + *chosen.rows[0][0] +
                                                 " AND seed = (SELECT min(seed) FROM trials WHERE recipe_id = " + *chosen.rows[0][0] +
                                                 ") AND status IN ('done', 'failed') ORDER BY trial");
  std::printf("trial");
  for (std::int64_t i = 1; i <= kStretches; ++i) std::printf(",%lld", static_cast<long long>(i) * kStretch);
  std::printf("\n");
  const FlushDenormals flush;
  for (const auto& row : trials.rows) {
    const Program program = lower(parse(*row[1]));
    const EigenKernel kernel(program);
    TrialOptions options;
    options.seed = static_cast<std::uint64_t>(std::stoll(*row[2]));
    options.precision = precision;
    options.pause_after = {0, kStretch * kStretches};
    Recording learner(kernel, recipe, dataset, precision, 1, options.seed);
    train(learner, program, recipe, dataset, options);
    std::printf("%s", row[0]->c_str());
    for (std::int64_t i = 0; i < kStretches; ++i) {
      double sum = 0;
      const auto first = static_cast<std::size_t>(i * kStretch), end = first + static_cast<std::size_t>(kStretch);
      for (std::size_t step = first; step < end; ++step) sum += step < learner.loss_sums.size() ? learner.loss_sums[step] : HUGE_VAL;
      const double mean = sum / static_cast<double>(kStretch * recipe.batch);
      if (std::isfinite(mean))
        std::printf(",%.6g", mean);
      else
        std::printf(",");
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: early_losses DATABASE DATA\n";
    return 2;
  }
  try {
    return measure(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::cerr << "early_losses: " << error.what() << '\n';
    return 1;
  }
}
