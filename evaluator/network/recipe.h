/// A recipe: network, optimiser, schedule, augmentation and precision as one named value, stored whole with every trial.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "evaluator/data/augmentation.h"
#include "evaluator/network/network.h"

namespace actsearch {

struct Schedule {
  enum class Kind : std::uint8_t {
    kOneCycle,  ///< linear from 0 up to `peak` over `warmup` of all steps, then linear down to 0
    kStep       ///< `peak`, times `factor` after each epoch listed in `milestones` (epoch > milestone, strictly)
  } kind = Kind::kOneCycle;
  double peak = 0.1;
  double warmup = 0.25;
  std::vector<int> milestones;
  double factor = 0.1;
  /// The rate for step `step` (from 0) of `steps_per_epoch · epochs` in all.
  double rate(std::int64_t step, std::int64_t steps_per_epoch, int epochs) const;
};

enum class Precision : std::uint8_t { kFp32, kBf16 };

/// What a trial is worth. Both are measured after the last epoch, on the images that validate.
enum class ScoreMeasure : std::uint8_t {
  kAccuracy,       ///< 0..1
  kValidationLoss  ///< mean cross-entropy, nats: the lower is the better. docs/results/truer-score.md compares the two
};
/// All of them, the default first, with the words that name them in a recipe's text and on the command line.
const std::vector<std::pair<ScoreMeasure, std::string_view>>& score_measures();

/// How far single trials of a recipe lie apart where their seeds alone differ, as once measured.
struct MeasuredSpread {
  double deviation = 0;  ///< standard deviation
  int degrees = 0;       ///< of freedom of that estimate
  std::string source;    ///< the page with the measurement
};

struct Recipe {
  std::string name;
  std::string purpose;  ///< one line for people
  Network network;
  int epochs = 1;
  int batch = 128;
  Schedule schedule;
  double momentum = 0.9;
  double weight_decay = 0;
  bool decay_all = false;  ///< also biases and batch-norm scale and shift; never beta
  Augmentation augmentation;
  int validation_size = 5'000;  ///< images of the training set that validate; 0: trains on all (the test set is reported by rerun alone)
  int train_size = 0;           ///< images that train, the same share of each class; 0: all that do not validate
  int validation_fold = 0;      ///< which of them (stratified_split): searches use the first, so that others stay unseen by a choice
  ScoreMeasure score = ScoreMeasure::kAccuracy;
  std::optional<MeasuredSpread> seed_spread;  ///< of the accuracy, on real CIFAR-10, with all fields as find_recipe has them
  std::optional<MeasuredSpread> loss_spread;  ///< of the validation loss, likewise
};

/// All recipes, from the shortest training to the longest.
const std::vector<Recipe>& recipes();
/// std::invalid_argument naming the known ones if there is none of that name.
const Recipe& find_recipe(std::string_view name);

/// The version of the arithmetic that trains. Whoever changes how results are rounded raises it: the operators' formulas, the kernels, the
/// optimiser, the order of a sum. It belongs to a trial's conditions, so trials of two versions rank apart. A test holds the rounding of
/// the kernels fast (tests/evaluator/cpu/numerics_test.cpp).
inline constexpr int kNumerics = 1;

/// The recipe's full text: every field but `purpose` and the spreads, in one stable line. With precision and numerics version it is the
/// identity of a trial's conditions. Version 1 is not written, because older texts have none.
std::string to_text(const Recipe& recipe, Precision precision, int numerics = kNumerics);
std::string_view to_text(Precision precision);
/// What trials under a recipe's text are ranked by, also where read_recipe cannot read the text.
ScoreMeasure score_measure(const std::string& text);
/// The way back. The text may have more words behind the precision, such as the data's. nullopt where it is of another version
/// or another numerics version, or no recipe's. `purpose` and the spreads are empty.
std::optional<std::pair<Recipe, Precision>> read_recipe(const std::string& text);

}  // namespace actsearch
