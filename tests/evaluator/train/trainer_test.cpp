#include "evaluator/train/trainer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "evaluator/cpu/cpu_learner.h"
#include "evaluator/cpu/dnn.h"
#include "evaluator/cpu/model.h"
#include "evaluator/cpu/throughput.h"
#include "evaluator/data/random.h"
#include "evaluator/network/plan.h"
#include "evaluator/train/checkpoint.h"
#include "evaluator/train/flush_denormals.h"
#include "grammar/notation.h"
#include "tests/evaluator/network/networks.h"

namespace actsearch {
namespace {

Program program_of(const char* text) { return lower(parse(text)); }

const Dataset& small_dataset() {
  static const Dataset dataset = make_synthetic(1, 1'200, 200);
  return dataset;
}

/// A network of every kind of layer, trained in a second.
Recipe small_recipe(double dropout = 0.1) {
  Recipe recipe = find_recipe("vgg-s");
  recipe.name = "test";
  recipe.network = vgg({.features = {8, Vgg::kPool, 16, Vgg::kPool, 16, Vgg::kPool},
                        .dense = {32},
                        .dropout = dropout,
                        .convolution_bias = false,
                        .average_pool = false});
  recipe.epochs = 3;
  recipe.batch = 50;
  recipe.validation_size = 200;
  return recipe;
}

std::filesystem::path temporary_file(const std::string& name) {
  auto path = std::filesystem::temp_directory_path() / ("actsearch-trainer-test-" + std::to_string(::getpid()) + "-" + name);
  std::filesystem::remove(path);
  return path;
}

void expect_same(const TrialOutcome& a, const TrialOutcome& b) {
  ASSERT_EQ(a.epochs.size(), b.epochs.size());
  for (std::size_t i = 0; i < a.epochs.size(); ++i) {
    EXPECT_EQ(a.epochs[i].train_loss, b.epochs[i].train_loss) << "epoch " << i;
    EXPECT_EQ(a.epochs[i].validation_loss, b.epochs[i].validation_loss) << "epoch " << i;
    EXPECT_EQ(a.epochs[i].validation_accuracy, b.epochs[i].validation_accuracy) << "epoch " << i;
  }
  EXPECT_EQ(a.beta_values, b.beta_values);
}

TEST(Trainer, LearnsAndGivesTheSameOutcomeBitForBitForTheSameSeed) {
  for (const Precision precision : {Precision::kFp32, native_precision()}) {
    TrialOptions options;
    options.seed = 3;
    options.precision = precision;
    const auto first = train(program_of("swish"), small_recipe(), small_dataset(), options);
    const auto second = train(program_of("swish"), small_recipe(), small_dataset(), options);
    expect_same(first, second);
    EXPECT_EQ(first.failure, Failure::kNone);
    ASSERT_EQ(first.epochs.size(), 3u);
    EXPECT_LT(first.epochs[2].train_loss, first.epochs[0].train_loss);
    EXPECT_GT(first.score, 0.15);  // guessing gives 0.1, with a standard deviation of 0.02
    ASSERT_EQ(first.beta.size(), 1u);
    EXPECT_EQ(first.beta_values.size(), 8u + 16 + 16 + 32);
    EXPECT_NE(first.beta[0].minimum, first.beta[0].maximum) << "beta is trained, channel by channel";
  }
}

/// Of small_recipe on small_dataset: 1,000 images in batches of 50.
constexpr std::int64_t kSteps = 20;

TEST(Trainer, APausedTrialGoesOnAsIfItHadNeverPaused) {
  for (const Precision precision : {Precision::kFp32, native_precision()}) {
    TrialOptions options;
    options.seed = 4;
    options.precision = precision;
    const auto straight = train(program_of("swish"), small_recipe(), small_dataset(), options);
    EXPECT_FALSE(straight.paused);
    options.checkpoint = temporary_file("paused");
    TrainingPoint before;
    // Between epochs, inside them, twice in one, over the end of one, after its first step and before its last.
    for (const TrainingPoint pause : {TrainingPoint{0, 1}, {0, 7}, {1, 0}, {1, 13}, {2, kSteps - 1}}) {
      options.pause_after = pause;
      const auto part = train(program_of("swish"), small_recipe(), small_dataset(), options);
      EXPECT_TRUE(part.paused);
      EXPECT_EQ(part.failure, Failure::kNone);
      EXPECT_EQ(part.begun, before);
      EXPECT_EQ(part.epochs.size(), static_cast<std::size_t>(pause.epochs));
      EXPECT_EQ(part.partial.has_value(), pause.steps > 0);
      EXPECT_GE(part.seconds, part.seconds_before);
      before = pause;
    }
    options.pause_after.reset();
    const auto whole = train(program_of("swish"), small_recipe(), small_dataset(), options);
    EXPECT_FALSE(whole.paused);
    EXPECT_FALSE(whole.partial.has_value());
    EXPECT_EQ(whole.begun, before);
    expect_same(whole, straight);
    EXPECT_EQ(whole.score, straight.score);
    std::filesystem::remove(options.checkpoint);
  }
}

/// A CPU learner that keeps what each step lost.
class Recording : public CpuLearner {
 public:
  using CpuLearner::CpuLearner;
  std::span<const BatchResult> train(std::int64_t first, std::int64_t count) override {
    const auto results = CpuLearner::train(first, count);
    steps.insert(steps.end(), results.begin(), results.end());
    return results;
  }
  std::vector<BatchResult> steps;
};

TEST(Trainer, APauseInsideAnEpochTellsTheMeanLossOfTheLaterHalfOfItsSteps) {
  const Recipe recipe = small_recipe();
  const Program program = program_of("relu");
  const EigenKernel kernel(program);
  Recording learner(kernel, recipe, small_dataset(), Precision::kFp32, 1, 0);
  TrialOptions options;
  options.pause_after = {1, 9};
  const auto outcome = train(learner, program, recipe, small_dataset(), options);
  ASSERT_EQ(learner.steps.size(), static_cast<std::size_t>(kSteps + 9)) << "no step more than asked for";
  double loss = 0;
  int correct = 0;
  for (std::size_t step = kSteps + 4; step < kSteps + 9; ++step) {
    loss += learner.steps[step].loss_sum;
    correct += learner.steps[step].correct;
  }
  ASSERT_TRUE(outcome.partial);
  EXPECT_EQ(outcome.partial->epoch, 1);
  EXPECT_EQ(outcome.partial->steps, 9);
  EXPECT_EQ(outcome.partial->epoch_steps, kSteps);
  EXPECT_DOUBLE_EQ(outcome.partial->train_loss, loss / (5 * 50));
  EXPECT_DOUBLE_EQ(outcome.partial->train_accuracy, correct / (5 * 50.0));
  EXPECT_GT(outcome.partial->seconds, 0);
  EXPECT_EQ(outcome.epochs.size(), 1u) << "an epoch that is not whole is none";
}

TEST(Trainer, ATrialThatIsAtItsPauseOrFurtherPausesAtOnce) {
  TrialOptions options;
  options.checkpoint = temporary_file("there");
  options.pause_after = {0, 9};
  const auto first = train(program_of("relu"), small_recipe(), small_dataset(), options);
  for (const TrainingPoint pause : {TrainingPoint{0, 9}, {0, 4}}) {
    options.pause_after = pause;
    const auto again = train(program_of("relu"), small_recipe(), small_dataset(), options);
    EXPECT_TRUE(again.paused);
    EXPECT_EQ(again.begun, (TrainingPoint{0, 9}));
    ASSERT_TRUE(again.partial);
    EXPECT_EQ(again.partial->train_loss, first.partial->train_loss);
    EXPECT_EQ(again.seconds, first.seconds) << "and nothing was spent";
  }
  std::filesystem::remove(options.checkpoint);
}

TEST(Trainer, TheTimeLimitIsThatOfAllStretchesTogether) {
  TrialOptions options;
  options.checkpoint = temporary_file("stretches");
  options.pause_after = {0, 9};
  const auto first = train(program_of("relu"), small_recipe(), small_dataset(), options);
  options.pause_after.reset();
  options.time_limit = std::chrono::duration<double>(first.seconds);  // all spent
  const auto second = train(program_of("relu"), small_recipe(), small_dataset(), options);
  EXPECT_EQ(second.failure, Failure::kTimeOut);
  EXPECT_NE(second.detail.find("in epoch 0 at step 9 of 20"), std::string::npos) << second.detail;
  EXPECT_GT(second.seconds, first.seconds);
  std::filesystem::remove(options.checkpoint);
}

TEST(Trainer, RefusesToPauseAfterAStepThatAnEpochDoesNotHave) {
  TrialOptions options;
  options.pause_after = {0, kSteps};
  EXPECT_EQ(steps_per_epoch(small_recipe(), small_dataset().train.size()), kSteps);
  EXPECT_THROW(train(program_of("relu"), small_recipe(), small_dataset(), options), std::invalid_argument);
}

TEST(Trainer, ALossThatRanksIsStoredAsItsNegativeAndChangesNothingElse) {
  Recipe by_loss = small_recipe();
  by_loss.score = ScoreMeasure::kValidationLoss;
  const auto accuracy = train(program_of("relu"), small_recipe(), small_dataset(), {});
  const auto loss = train(program_of("relu"), by_loss, small_dataset(), {});
  expect_same(accuracy, loss);
  EXPECT_EQ(accuracy.score, accuracy.epochs.back().validation_accuracy);
  EXPECT_EQ(loss.score, -loss.epochs.back().validation_loss);
  EXPECT_LT(loss.score, 0);
}

TEST(Trainer, AnotherSeedGivesAnotherOutcome) {
  TrialOptions options;
  const auto first = train(program_of("relu"), small_recipe(), small_dataset(), options);
  options.seed = 1;
  const auto second = train(program_of("relu"), small_recipe(), small_dataset(), options);
  EXPECT_NE(first.epochs[0].train_loss, second.epochs[0].train_loss);
}

TEST(Trainer, ACandidateThatDivergesIsAResultWithAReason) {
  const auto outcome = train(program_of("exp(square(square(x)))"), small_recipe(), small_dataset(), {});
  EXPECT_EQ(outcome.failure, Failure::kNonFiniteLoss);
  EXPECT_NE(outcome.detail.find("epoch 0"), std::string::npos) << outcome.detail;
  EXPECT_EQ(outcome.score, 0);
}

TEST(Trainer, StopsAtTheTimeLimitWithAReason) {
  TrialOptions options;
  options.time_limit = std::chrono::duration<double>(1e-9);
  const auto outcome = train(program_of("relu"), small_recipe(), small_dataset(), options);
  EXPECT_EQ(outcome.failure, Failure::kTimeOut);
  EXPECT_TRUE(outcome.epochs.empty());
}

TEST(Trainer, StopsBetweenBatchesWhenAskedTo) {
  std::atomic<bool> stop = false;
  TrialOptions options;
  options.stop = &stop;
  options.on_epoch = [&](const EpochMetrics&) { stop = true; };
  const auto outcome = train(program_of("relu"), small_recipe(), small_dataset(), options);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.epochs.size(), 1u);
}

TEST(Trainer, ReportsTestAccuracyOnlyWhenAsked) {
  TrialOptions options;
  auto recipe = small_recipe();
  recipe.epochs = 1;
  EXPECT_FALSE(train(program_of("relu"), recipe, small_dataset(), options).epochs[0].test_accuracy.has_value());
  options.report_test = true;
  EXPECT_TRUE(train(program_of("relu"), recipe, small_dataset(), options).epochs[0].test_accuracy.has_value());
}

TEST(Trainer, RefusesATrainingSetSmallerThanABatch) {
  auto recipe = small_recipe();
  recipe.batch = 2'000;
  EXPECT_THROW(train(program_of("relu"), recipe, small_dataset(), {}), std::invalid_argument);
}

TEST(Trainer, WithoutShufflingUsesEveryImageAndFillsTheLastBatchFromTheStart) {
  auto recipe = small_recipe();
  recipe.augmentation.shuffle = false;
  recipe.validation_size = 0;
  recipe.batch = 500;  // 1,200 images: two batches and 200 left over
  recipe.epochs = 1;
  const auto outcome = train(program_of("relu"), recipe, small_dataset(), {});
  ASSERT_EQ(outcome.epochs.size(), 1u);
  EXPECT_EQ(outcome.epochs[0].learning_rate, recipe.schedule.rate(2, 3, 1));
}

TEST(Checkpoint, ARunContinuedFromItEqualsOneThatWasNeverStopped) {
  const auto recipe = small_recipe();
  TrialOptions options;
  const auto whole = train(program_of("swish"), recipe, small_dataset(), options);

  std::atomic<bool> stop = false;
  options.checkpoint = temporary_file("resume");
  options.stop = &stop;
  options.on_epoch = [&](const EpochMetrics&) { stop = true; };
  const auto half = train(program_of("swish"), recipe, small_dataset(), options);
  EXPECT_TRUE(half.interrupted);
  stop = false;
  options.on_epoch = nullptr;
  expect_same(train(program_of("swish"), recipe, small_dataset(), options), whole);
  std::filesystem::remove(options.checkpoint);
}

TEST(Checkpoint, OfARunThatHasEndedHasItsResultWithoutTraining) {
  const auto recipe = small_recipe();
  TrialOptions options;
  options.checkpoint = temporary_file("ended");
  const auto ended = train(program_of("swish"), recipe, small_dataset(), options);
  options.on_epoch = [&](const EpochMetrics&) { ADD_FAILURE() << "it trains again"; };
  expect_same(train(program_of("swish"), recipe, small_dataset(), options), ended);
  std::filesystem::remove(options.checkpoint);
}

TEST(Checkpoint, ARunStoppedAtAnyStepGoesOnThereAsIfItHadNeverStopped) {
  const auto recipe = small_recipe();
  TrialOptions options;
  const auto whole = train(program_of("swish"), recipe, small_dataset(), options);
  options.checkpoint = temporary_file("cut off");
  for (const TrainingPoint cut : {TrainingPoint{0, 1}, {0, 13}, {1, 0}, {1, 19}}) {
    std::atomic<bool> stop = false;
    options.stop = &stop;
    options.on_progress = [&](const TrainingPoint& reached, std::int64_t epoch_steps) {
      EXPECT_EQ(epoch_steps, kSteps);
      stop = reached == cut;
    };
    const auto part = train(program_of("swish"), recipe, small_dataset(), options);
    EXPECT_TRUE(part.interrupted);
    EXPECT_EQ(part.epochs.size(), static_cast<std::size_t>(cut.epochs));
    EXPECT_EQ(part.partial ? part.partial->steps : 0, cut.steps);
    options.stop = nullptr;
    bool begins = true;
    options.on_progress = [&](const TrainingPoint& reached, std::int64_t) {
      if (begins) {
        EXPECT_EQ(reached, cut) << "it tells where it begins";
      }
      begins = false;
    };
    // A stop before the first step leaves the checkpoint as it is.
    const std::atomic<bool> at_once = true;
    options.stop = &at_once;
    EXPECT_TRUE(train(program_of("swish"), recipe, small_dataset(), options).interrupted);
    options.stop = nullptr;
    begins = true;
    const auto rest = train(program_of("swish"), recipe, small_dataset(), options);
    EXPECT_EQ(rest.begun, cut);
    expect_same(rest, whole);
    std::filesystem::remove(options.checkpoint);
  }
}

TEST(Trainer, TellsItsProgressAfterEveryBatch) {
  TrialOptions options;
  std::vector<TrainingPoint> told;
  options.on_progress = [&](const TrainingPoint& reached, std::int64_t) { told.push_back(reached); };
  train(program_of("relu"), small_recipe(), small_dataset(), options);
  EXPECT_EQ(told.front(), TrainingPoint{});
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told.back(), (TrainingPoint{small_recipe().epochs, 0}));
  EXPECT_GE(told.size(), static_cast<std::size_t>(small_recipe().epochs * kSteps));
}

TEST(Checkpoint, ARunStoppedAfterAPauseGoesOnFromThePause) {
  const auto recipe = small_recipe();
  TrialOptions options;
  const auto whole = train(program_of("swish"), recipe, small_dataset(), options);
  options.checkpoint = temporary_file("stopped");
  options.pause_after = {0, 11};
  train(program_of("swish"), recipe, small_dataset(), options);
  options.pause_after.reset();
  const std::atomic<bool> stop = true;
  options.stop = &stop;
  EXPECT_TRUE(train(program_of("swish"), recipe, small_dataset(), options).interrupted);
  options.stop = nullptr;
  const auto rest = train(program_of("swish"), recipe, small_dataset(), options);
  EXPECT_EQ(rest.begun, (TrainingPoint{0, 11}));
  expect_same(rest, whole);
  std::filesystem::remove(options.checkpoint);
}

TEST(Checkpoint, ThatIsSomebodyElsesByNowIsLeftAloneAndTheTrainingEnds) {
  TrialOptions options;
  options.seed = 5;
  options.checkpoint = temporary_file("lost");
  std::filesystem::remove(options.checkpoint);
  int asked = 0, told = 0;
  options.may_save = [&] { return ++asked == 1; };
  options.on_epoch = [&](const EpochMetrics&) { ++told; };
  Recipe recipe = small_recipe();
  recipe.epochs = 3;
  const TrialOutcome outcome = train(program_of("relu"), recipe, small_dataset(), options);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(asked, 2) << "it ends with the second";
  EXPECT_EQ(told, 1) << "and does not tell of an epoch that nobody may keep";
  options.may_save = nullptr;
  EXPECT_EQ(train(program_of("relu"), recipe, small_dataset(), options).begun, (TrainingPoint{1, 0})) << "the first stays";
  std::filesystem::remove(options.checkpoint);
}

TEST(Checkpoint, IsWrittenUnderANameOfItsOwnProcessAndOfTheCallAlone) {
  const auto file = temporary_file("names");
  std::vector<float> state{1, 2, 3};
  const auto watch = file.string() + "." + std::to_string(getpid()) + "-";
  // A directory where another writer's name would be is in nobody's way.
  std::filesystem::create_directory(file.string() + ".part");
  write_checkpoint(file, "mine", {state}, {});
  std::filesystem::remove(file.string() + ".part");
  EXPECT_EQ(read_checkpoint(file, "mine", {state}).epochs.size(), 0u);
  std::filesystem::remove(file);
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path())) {
    EXPECT_NE(entry.path().string().rfind(watch, 0), 0u) << "nothing is left beside it: " << entry.path();
  }
}

TEST(Checkpoint, ThatCannotBeWrittenSaysWhatToDoAndLeavesTheOldOne) {
  const auto file = temporary_file("limited");
  std::vector<float> state(100'000, 1.0f);
  write_checkpoint(file, "old", {state}, {});
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_checkpoint(file, "new", {state}, {});
    } catch (const std::runtime_error& error) {
      const std::string what = error.what();
      _exit(what.find(file.string()) != std::string::npos && what.find("ulimit -f") != std::string::npos ? 7 : 8);
    }
    _exit(9);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_NO_THROW(read_checkpoint(file, "old", {state}));
  std::filesystem::remove(file);
}

TEST(Checkpoint, WithMoreEpochsThanItHasBytesIsDamaged) {
  const auto file = temporary_file("forged");
  std::vector<float> state{1};
  write_checkpoint(file, "x", {state}, {});
  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::uint64_t many = std::uint64_t{1} << 61;  // as an attacker writes it who knows the hash
  std::memcpy(bytes.data() + 23 + 8 + 1, &many, sizeof many);
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  const std::uint64_t sum = checkpoint_hash(bytes);
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  std::ofstream(file, std::ios::binary) << bytes;
  EXPECT_THROW(read_checkpoint(file, "x", {state}), CheckpointError);
  std::filesystem::remove(file);
}

TEST(Checkpoint, OfAnotherRunOrDamagedIsRefused) {
  auto recipe = small_recipe();
  recipe.epochs = 2;
  for (const TrainingPoint pause : {TrainingPoint{1, 0}, {1, 3}}) {
    TrialOptions options;
    options.checkpoint = temporary_file("damaged");
    options.pause_after = pause;
    train(program_of("relu"), recipe, small_dataset(), options);
    EXPECT_THROW(train(program_of("swish1"), recipe, small_dataset(), options), CheckpointError);
    options.seed = 9;
    EXPECT_THROW(train(program_of("relu"), recipe, small_dataset(), options), CheckpointError);
    options.seed = 0;
    {
      std::fstream file(options.checkpoint, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(-100, std::ios::end);
      file.put('\x55');
      file.put('\x2a');
    }
    EXPECT_THROW(train(program_of("relu"), recipe, small_dataset(), options), CheckpointError);
    std::filesystem::resize_file(options.checkpoint, std::filesystem::file_size(options.checkpoint) / 2);
    EXPECT_THROW(train(program_of("relu"), recipe, small_dataset(), options), CheckpointError);
    std::filesystem::remove(options.checkpoint);
  }
}

TEST(Model, InitialWeightsAreTheSameForEveryActivation) {
  const auto recipe = small_recipe();
  const EigenKernel relu(program_of("relu")), swish(program_of("swish"));
  Model a(recipe.network, relu, 10, Precision::kFp32, 1, 5), b(recipe.network, swish, 10, Precision::kFp32, 1, 5);
  std::vector<float> weights_a, weights_b;
  const auto collect = [](Model& model, std::vector<float>& into) {
    for (const ParameterSegment& segment : model.parameters().segments()) {
      const float* const first = model.parameters().value(segment.offset);
      if (segment.kind == ParameterKind::kWeight) into.insert(into.end(), first, first + segment.size);
    }
  };
  collect(a, weights_a);
  collect(b, weights_b);
  EXPECT_EQ(weights_a, weights_b);
}

TEST(Model, HasAsManyParametersAsItsRecipeSays) {
  const EigenKernel kernel(program_of("relu"));
  for (const char* const name : {"vgg-s", "vgg16-slim", "vgg-m"}) {
    const Recipe& recipe = find_recipe(name);
    Model model(recipe.network, kernel, 2, Precision::kFp32, 1, 0);
    EXPECT_EQ(static_cast<std::int64_t>(model.parameters().values().size()), parameter_count(recipe.network)) << name;
  }
}

TEST(Model, TheGradientsOfAllParametersPredictTheChangeOfTheLoss) {
  const Network network = small_recipe(0).network;
  const EigenKernel kernel(program_of("swish"));
  Model model(network, kernel, 20, Precision::kFp32, 1, 5);
  RandomStream random(1);
  for (std::size_t i = 0; i < 20 * kCifar10Shape.bytes(); ++i) static_cast<float*>(model.images())[i] = static_cast<float>(random.normal());
  std::vector<Label> labels(20);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<Label>(i % 10);
  model.train(labels, 0);
  const auto segments = model.parameters().segments();
  for (const ParameterSegment& segment : segments) {
    model.train(labels, 0);
    std::vector<float> direction(segment.size), start(segment.size);
    double slope = 0, length = 0;
    for (std::size_t i = 0; i < segment.size; ++i) {
      start[i] = *model.parameters().value(segment.offset + i);
      direction[i] = *model.parameters().gradient(segment.offset + i);
      length += static_cast<double>(direction[i]) * direction[i];
    }
    slope = std::sqrt(length);
    if (slope < 1e-4) continue;
    const auto loss_at = [&](double step) {
      for (std::size_t i = 0; i < segment.size; ++i)
        *model.parameters().value(segment.offset + i) = start[i] + static_cast<float>(step * direction[i] / slope);
      return model.train(labels, 0).loss_sum / 20;
    };
    // fp32 losses near 2 are good to 1e-6; a step of 2e-3 balances that against curvature.
    const double difference = (loss_at(2e-3) - loss_at(-2e-3)) / 4e-3;
    loss_at(0);
    EXPECT_NEAR(difference, slope, 0.02 * slope + 1e-3) << "segment at " << segment.offset << " of kind " << static_cast<int>(segment.kind);
  }
}

/// Along the gradient alone, one that is wrongly 0 would predict what it is asked: nothing. A random direction meets every element.
void expect_gradients(const Network& network, int probes) {
  const ImageShape& shape = network.images;
  const EigenKernel kernel(program_of("swish"));
  Model model(network, kernel, 20, Precision::kFp32, 1, 5);
  RandomStream random(1);
  for (std::size_t i = 0; i < 20 * shape.bytes(); ++i) static_cast<float*>(model.images())[i] = static_cast<float>(random.normal());
  std::vector<Label> labels(20);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<Label>(i % static_cast<std::size_t>(shape.classes));
  for (const ParameterSegment& segment : model.parameters().segments()) {
    model.train(labels, 0);
    std::vector<float> gradient(segment.size), start(segment.size), direction(segment.size);
    double length = 0;
    for (std::size_t i = 0; i < segment.size; ++i) {
      start[i] = *model.parameters().value(segment.offset + i);
      gradient[i] = *model.parameters().gradient(segment.offset + i);
      length += static_cast<double>(gradient[i]) * gradient[i];
    }
    // The slope in a random direction of length 1 has this deviation.
    const double typical = std::sqrt(length / static_cast<double>(segment.size));
    for (int probe = 0; probe < probes; ++probe) {
      const double element = 1 / std::sqrt(static_cast<double>(segment.size));
      double slope = 0;
      for (std::size_t i = 0; i < segment.size; ++i) {
        direction[i] = static_cast<float>(random.uniform() < 0.5 ? -element : element);
        slope += static_cast<double>(direction[i]) * gradient[i];
      }
      const auto loss_at = [&](double step) {
        for (std::size_t i = 0; i < segment.size; ++i)
          *model.parameters().value(segment.offset + i) = start[i] + static_cast<float>(step * direction[i]);
        return model.train(labels, 0).loss_sum / 20;
      };
      const double difference = (loss_at(3e-3) - loss_at(-3e-3)) / 6e-3;
      loss_at(0);
      // Kinks of the pools between the two points move early layers by a tenth of that, the losses' rounding all by 1e-4.
      EXPECT_NEAR(difference, slope, 0.25 * typical + 1e-4)
          << "segment at " << segment.offset << " of kind " << static_cast<int>(segment.kind) << ", probe " << probe;
    }
  }
}

TEST(Model, TheGradientsPredictTheChangeOfTheLossInRandomDirections) { expect_gradients(small_recipe(0).network, 8); }

TEST(Model, TheGradientsOfEveryKindOfLayerDo) { expect_gradients(testing::every_kind_of_layer(), 4); }

TEST(Model, TheGradientsOfResidualNetworksDo) { expect_gradients(resnet(1), 1); }

TEST(Model, TheGradientsOfWideResidualNetworksDo) { expect_gradients(wide_resnet(1, 1), 1); }

TEST(Model, TheGradientsPredictTheChangeOfTheLossForOtherShapesOfImages) {
  for (const auto& [channels, side, classes] : {std::array{1, 24, 3}, {3, 8, 300}, {1, 40, 12}}) {
    SCOPED_TRACE(std::to_string(channels) + " channels, side " + std::to_string(side) + ", " + std::to_string(classes) + " classes");
    expect_gradients(
        for_images(small_recipe(0).network, {.channels = channels, .side = side, .classes = classes, .mean = {}, .deviation = {}}), 4);
  }
}

/// Images whose brightness is their class, of other shapes.
Dataset bright_images(int channels, int side, int classes, std::size_t size) {
  Dataset dataset{.name = "bright", .source = "bright", .shape = {channels, side, classes, {}, {}}, .train = {}, .test = {}};
  RandomStream random(4);
  for (ImageSet* const set : {&dataset.train, &dataset.test}) {
    for (std::size_t i = 0; i < size; ++i) {
      const auto label = static_cast<Label>(i % static_cast<std::size_t>(classes));
      set->labels.push_back(label);
      for (std::size_t k = 0; k < dataset.shape.bytes(); ++k)
        set->pixels.push_back(static_cast<std::uint8_t>(255 * (label + random.uniform()) / classes));
    }
  }
  dataset.shape = with_measured_pixels(dataset.shape, dataset.train);
  return dataset;
}

TEST(Training, LearnsImagesOfOtherShapesInEitherPrecision) {
  for (const auto& [channels, side, classes] : {std::array{1, 24, 3}, {3, 40, 5}, {1, 8, 2}}) {
    const Dataset dataset = bright_images(channels, side, classes, 600);
    Recipe recipe = small_recipe();
    recipe.network = for_images(recipe.network, dataset.shape);
    recipe.validation_size = 100;
    recipe.epochs = 6;
    for (const Precision precision : std::set{Precision::kFp32, native_precision()}) {
      TrialOptions options;
      options.precision = precision;
      options.report_test = true;
      const TrialOutcome outcome = train(program_of("relu"), recipe, dataset, options);
      ASSERT_EQ(outcome.failure, Failure::kNone) << outcome.detail;
      EXPECT_GT(outcome.score, 0.9) << channels << " channels, side " << side << " in " << to_text(precision);
      EXPECT_GT(outcome.epochs.back().test_accuracy, 0.9);
    }
  }
}

TEST(Training, RefusesARecipeThatIsNotFittedToTheData) {
  const Dataset dataset = bright_images(1, 24, 3, 200);
  EXPECT_THROW(train(program_of("relu"), small_recipe(), dataset, {}), std::invalid_argument);
}

TEST(FlushDenormals, HoldsForThisThreadAndTheOnesItStartsAndEndsWithItsScope) {
#if defined(__SSE2__)
  const volatile float tiny = 1e-39f;
  const volatile float one = 1.0f;
  {
    const FlushDenormals flush;
    EXPECT_EQ(tiny * one, 0.0f);
    float elsewhere = -1;
    std::thread([&] { elsewhere = tiny * one; }).join();
    EXPECT_EQ(elsewhere, 0.0f);
  }
  EXPECT_GT(tiny * one, 0.0f);
#else
  GTEST_SKIP() << "this processor has no such setting";
#endif
}

TEST(Throughput, IsMeasuredOfTrainingAndOfItsConvolutionsAlone) {
  const Recipe recipe = small_recipe();
  EXPECT_GT(training_throughput(recipe, program_of("relu"), native_precision(), 1, 0.05), 0);
  const ConvolutionThroughput alone = convolution_throughput(recipe, native_precision(), 1, 0.05);
  EXPECT_GT(alone.library, 0);
  EXPECT_GT(alone.training, 0);
}

}  // namespace
}  // namespace actsearch
