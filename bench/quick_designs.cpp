/// Designs of a quick fidelity, tried on functions whose scores under the default proxy are stored: CSV on standard output, from which
/// scripts/quick_report.py tells how far each agrees with them and what it costs (docs/results/quick.md).
///
///     quick_designs DATABASE DATA DESIGN [--every K] [--first I] [--names a,b,…] [--seeds N]
///
/// DESIGN is a name of the list below, or a recipe's. Of the database's finished trials of the lowest seed, ordered by accuracy, every K-th
/// from the I-th on is taken (1 and 0: all), or only the functions of the given names. One thread; fp32.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <map>
#include <string>

#include "db/open/open_store.h"
#include "evaluator/cpu/cpu_learner.h"
#include "evaluator/formats/data_source.h"
#include "evaluator/train/flush_denormals.h"
#include "evaluator/train/trainer.h"
#include "grammar/notation.h"
#include "search/run/study.h"

namespace {

using namespace actsearch;

constexpr int kPool = Vgg::kPool;

/// The default proxy's network with `width` channels in the first block, for images of 32×32; `blocks` of its five blocks.
std::vector<int> deep(int width, int blocks) {
  std::vector<int> features;
  const int widths[] = {width, 2 * width, 4 * width, 8 * width, 8 * width}, depths[] = {2, 2, 3, 3, 3};
  for (int block = 0; block < blocks; ++block) {
    features.insert(features.end(), static_cast<std::size_t>(depths[block]), widths[block]);
    features.push_back(kPool);
  }
  return features;
}

struct Design {
  const char* name;
  std::vector<int> features;
  int side, train, epochs, batch;
  double peak;
};

const std::vector<Design>& designs() {
  static const std::vector<Design> kDesigns{
      {"slim32-1x11k", deep(16, 5), 32, 11'520, 1, 128, 0.1},
      {"slim32-2x6k", deep(16, 5), 32, 5'760, 2, 128, 0.1},
      {"eighth32-1x22k", deep(8, 5), 32, 22'500, 1, 128, 0.1},
      {"slim16-1x45k", deep(16, 4), 16, 0, 1, 128, 0.1},
      {"slim16-2x22k", deep(16, 4), 16, 22'500, 2, 128, 0.1},
      {"slim16-1x45k-64", deep(16, 4), 16, 0, 1, 64, 0.07},
      {"slim16-1x45k-256", deep(16, 4), 16, 0, 1, 256, 0.15},
      {"eighth16-2x45k", deep(8, 4), 16, 0, 2, 128, 0.1},
      {"s16-1x32k", {32, 32, kPool, 64, 64, kPool, 128, 128, kPool}, 16, 32'000, 1, 128, 0.1},
      {"s16half-2x45k", {16, 16, kPool, 32, 32, kPool, 64, 64, kPool}, 16, 0, 2, 128, 0.1},
  };
  return kDesigns;
}

Recipe recipe_of(const std::string& name) {
  for (const Design& design : designs()) {
    if (name != design.name) continue;
    Recipe recipe = find_recipe("vgg16-slim");
    recipe.name = name;
    recipe.network = vgg({.features = design.features, .dense = {}, .dropout = 0, .convolution_bias = false, .average_pool = false});
    recipe.network.image_side = design.side;
    recipe.train_size = design.train;
    recipe.epochs = design.epochs;
    recipe.batch = design.batch;
    recipe.schedule.peak = design.peak;
    return recipe;
  }
  return find_recipe(name);
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int measure(const std::string& file, const std::string& data, const std::string& design, const std::map<std::string, std::string>& flags) {
  const auto number = [&](const char* flag, int otherwise) { return flags.contains(flag) ? std::stoi(flags.at(flag)) : otherwise; };
  const std::string names = flags.contains("--names") ? "," + flags.at("--names") + "," : "";
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& database = *store;
  const Dataset dataset = find_dataset(data, [](const std::string& line) { std::cerr << line << '\n'; });
  const Recipe recipe = fitted(recipe_of(design), dataset);
  const Table trials = database.queries()->query(
      "SELECT formula, coalesce(name, '') FROM trials WHERE recipe_id = (SELECT recipe_id FROM recipes ORDER BY done DESC LIMIT 1)"
      " AND status = 'done' GROUP BY formula HAVING seed = min(seed) ORDER BY accuracy DESC, formula");
  std::printf("design,formula,name,seed,accuracy,validation_loss,train_loss,seconds\n");
  const FlushDenormals flush;
  for (std::size_t i = static_cast<std::size_t>(number("--first", 0)); i < trials.rows.size();
       i += names.empty() ? static_cast<std::size_t>(number("--every", 1)) : 1) {
    const std::string formula = *trials.rows[i][0], name = trials.rows[i][1].value_or("");
    if (!names.empty() && (name.empty() || names.find("," + name + ",") == std::string::npos)) continue;
    const Program program = lower(parse(formula));
    for (int seed = 0; seed < number("--seeds", 1); ++seed) {
      TrialOptions options;
      options.seed = static_cast<std::uint64_t>(seed);
      const double start = processor_seconds();
      const TrialOutcome outcome = train(program, recipe, dataset, options);
      const double seconds = processor_seconds() - start;
      std::printf("%s,\"%s\",%s,%d,", design.c_str(), formula.c_str(), name.c_str(), seed);
      if (outcome.failure == Failure::kNone) {
        const EpochMetrics& last = outcome.epochs.back();
        std::printf("%.4f,%.5f,%.5f,%.3f\n", last.validation_accuracy, last.validation_loss, last.train_loss, seconds);
      } else {
        std::printf(",,,%.3f\n", seconds);
      }
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc % 2 != 0) {
    std::cerr << "usage: quick_designs DATABASE DATA DESIGN [--every K] [--first I] [--names a,b,…] [--seeds N]\ndesigns:";
    for (const Design& design : designs()) std::cerr << ' ' << design.name;
    std::cerr << '\n';
    return 2;
  }
  try {
    std::map<std::string, std::string> flags;
    for (int i = 4; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
    return measure(argv[1], argv[2], argv[3], flags);
  } catch (const std::exception& error) {
    std::cerr << "quick_designs: " << error.what() << '\n';
    return 1;
  }
}
