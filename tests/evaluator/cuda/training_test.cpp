// Training on CUDA devices beside training on the CPU. Run twice: on the simulated device of tests/cuda_simulator, and, under the label
// gpu, on a real one, where the recipes themselves are trained; skipped where there is none.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <thread>

#include "evaluator/cpu/cpu_learner.h"
#include "evaluator/cuda/ahead.h"
#include "evaluator/cuda/backend.h"
#include "evaluator/cuda/compiler.h"
#include "evaluator/cuda/network.h"
#include "evaluator/cuda/throughput.h"
#include "evaluator/data/random.h"
#include "evaluator/network/plan.h"
#include "grammar/notation.h"
#include "kernels/cuda/activation.h"
#include "tests/evaluator/cuda/fixture.h"
#include "tests/evaluator/network/networks.h"

namespace actsearch {
namespace {

using testing::simulated;

std::filesystem::path cache() {
  static const auto folder = std::filesystem::temp_directory_path() / ("actsearch-cuda-test-" + std::to_string(::getuid()));
  return folder;
}

Program program_of(const char* text) { return lower(parse(text)); }

const Dataset& small_dataset() {
  static const Dataset dataset = make_synthetic(1, 120, 50);
  return dataset;
}

Network vgg_of(std::vector<int> features, double dropout) {
  return vgg({.features = std::move(features), .dense = {32}, .dropout = dropout, .convolution_bias = false, .average_pool = false});
}

/// Every kind of layer that a VGG has.
Recipe small_recipe(double dropout = 0.25) {
  Recipe recipe = find_recipe("vgg-s");
  recipe.name = "test";
  recipe.network = vgg_of({8, Vgg::kPool, 16, 16, Vgg::kPool, 24, Vgg::kPool}, dropout);
  recipe.epochs = 2;
  recipe.batch = 8;
  recipe.validation_size = 20;
  recipe.augmentation.pad = 4;
  return recipe;
}

class CudaTraining : public testing::OnCuda {
 protected:
  static CudaOptions options() {
    CudaOptions options;
    options.deterministic = true;
    options.cache = cache();
    return options;
  }
};

/// A plan of so many steps over the training set, as the trainer draws it.
EpochPlan plan_of(const Recipe& recipe, const Dataset& dataset, std::int64_t steps) {
  EpochPlan plan;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (int i = 0; i < recipe.batch; ++i) {
      const auto index = static_cast<std::uint32_t>((step * recipe.batch + i) % static_cast<std::int64_t>(dataset.train.size()));
      plan.images.push_back({index, draw_transform(recipe.augmentation, 7, 0, index)});
    }
    plan.rates.push_back(0.001);  // small: large steps amplify what rounding leaves
    plan.dropout_keys.push_back(hash(11, step));
  }
  return plan;
}

/// A network with all that it needs.
struct OnDevice {
  OnDevice(const Recipe& recipe, const Dataset& dataset, Precision precision) : compiler(cache(), 1), choices(true), device(0) {
    device.make_current();
    images = std::make_unique<CudaDataset>(dataset);
    storage = precision == Precision::kBf16 ? Storage::kBf16 : Storage::kFp32;
    network = std::make_unique<CudaNetwork>(device, *images, recipe, precision, choices, cubins(dataset.shape));
  }
  ~OnDevice() {
    device.make_current();
    network.reset();
    images.reset();
  }
  CudaNetworkCubins cubins(const ImageShape& shape = kCifar10Shape) {
    return {compiler.cubin(cuda_layers_source(storage, shape), device.architecture()),
            compiler.cubin(cuda_identity_source(storage), device.architecture())};
  }
  void begin(const char* formula, std::uint64_t seed) {
    const Program program = program_of(formula);
    const std::string cubin = compiler.cubin(CudaActivation::source(program, storage), device.architecture());
    network->begin_trial(program, std::make_unique<CudaActivation>(device, cubin, storage, program.parameter_count()), seed);
  }
  CudaCompiler compiler;
  EngineChoices choices;
  CudaDevice device;
  Storage storage = Storage::kFp32;
  std::unique_ptr<CudaDataset> images;
  std::unique_ptr<CudaNetwork> network;
};

/// Ten steps on both, loss by loss. The first is a forward pass alone, so it is as near as rounding allows; from then on a step may
/// multiply a difference by `growth`, which depends on the formula: kinks, large slopes and depth amplify.
void expect_same_losses(const Recipe& recipe, const Dataset& dataset, Precision precision, const char* formula, double growth) {
  const EpochPlan plan = plan_of(recipe, dataset, 10);
  const EigenKernel kernel(program_of(formula));
  CpuLearner cpu(kernel, recipe, dataset, precision, 1, 3);
  OnDevice cuda(recipe, dataset, precision);
  cuda.begin(formula, 3);
  cpu.begin_epoch(plan);
  cuda.network->begin_epoch(plan);
  const auto results = cuda.network->train(0, 10);
  ASSERT_EQ(results.size(), 10u);
  for (std::int64_t step = 0; step < 10; ++step) {
    const double expected = cpu.train(step, 1)[0].loss_sum;
    EXPECT_NEAR(results[static_cast<std::size_t>(step)].loss_sum, expected, 2e-6 * std::pow(growth, step) * expected)
        << formula << ", step " << step;
  }
}

/// Images and labels that mean nothing, of another shape than CIFAR-10's.
Dataset drawn(int channels, int side, int classes) {
  Dataset dataset{.name = "drawn", .source = "drawn", .shape = {channels, side, classes, {}, {}}, .train = {}, .test = {}};
  RandomStream random(static_cast<std::uint64_t>(classes));
  for (ImageSet* const set : {&dataset.train, &dataset.test}) {
    for (std::size_t i = 0; i < 90; ++i) set->labels.push_back(static_cast<Label>(random.below(static_cast<std::uint32_t>(classes))));
    for (std::size_t i = 0; i < 90 * dataset.shape.bytes(); ++i) set->pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
  dataset.train.labels[0] = static_cast<Label>(classes - 1);
  dataset.shape = with_measured_pixels(dataset.shape, dataset.train);
  return dataset;
}

/// Grey and colour, sides that are no powers of two, few classes and more than one kernel or a byte has room for.
TEST_F(CudaTraining, OtherShapesOfImagesLoseWhatTheyLoseOnTheCpu) {
  for (const auto& [channels, side, classes] : {std::array{1, 16, 7}, {3, 24, 16}, {3, 40, 17}, {1, 8, 300}, {3, 16, 1'000}}) {
    const Dataset dataset = drawn(channels, side, classes);
    Recipe recipe = small_recipe();
    recipe.network = for_images(recipe.network, dataset.shape);
    SCOPED_TRACE(std::to_string(channels) + " channels, side " + std::to_string(side) + ", classes " + std::to_string(classes));
    expect_same_losses(recipe, dataset, Precision::kFp32, "swish", 2);
  }
}

TEST_F(CudaTraining, OtherShapesAreAveragedAndScoredAsOnTheCpu) {
  const Dataset dataset = drawn(1, 48, 41);
  Recipe recipe = small_recipe();
  recipe.batch = 16;
  recipe.network.image_side /= 2;
  recipe.network = for_images(recipe.network, dataset.shape);
  ASSERT_EQ(recipe.network.image_side, 24);
  const EpochPlan plan = plan_of(recipe, dataset, 3);
  const EigenKernel kernel(program_of("swish"));
  std::vector<std::uint32_t> all(dataset.test.size() - 3);
  std::iota(all.begin(), all.end(), 0u);
  for (const auto& [precision, tolerance] : {std::pair(Precision::kFp32, 1e-4), {Precision::kBf16, 0.05}}) {
    CpuLearner cpu(kernel, recipe, dataset, Precision::kFp32, 1, 3);
    OnDevice cuda(recipe, dataset, precision);
    cuda.begin("swish", 3);
    cpu.begin_epoch(plan);
    cuda.network->begin_epoch(plan);
    cpu.train(0, 3);
    cuda.network->train(0, 3);
    const BatchResult expected = cpu.evaluate(ImageRole::kTest, all), result = cuda.network->evaluate(ImageRole::kTest, all);
    EXPECT_NEAR(result.loss_sum, expected.loss_sum, tolerance * expected.loss_sum) << to_text(precision);
    EXPECT_NEAR(result.correct, expected.correct, precision == Precision::kFp32 ? 1 : 5);
  }
}

TEST_F(CudaTraining, TenStepsInFp32LoseWhatTheyLoseOnTheCpu) {
  expect_same_losses(small_recipe(), small_dataset(), Precision::kFp32, "swish", 1.5);
  expect_same_losses(small_recipe(), small_dataset(), Precision::kFp32, "relu", 2);
  expect_same_losses(small_recipe(), small_dataset(), Precision::kFp32, "x * sigmoid(beta0 * x) + beta1 * sin(x)", 2.5);
}

TEST_F(CudaTraining, TenStepsOfEveryKindOfLayerLoseWhatTheyLoseOnTheCpu) {
  Recipe recipe = small_recipe();
  recipe.network = testing::every_kind_of_layer();
  expect_same_losses(recipe, small_dataset(), Precision::kFp32, "swish", 2);
  recipe.network = resnet(1);
  expect_same_losses(recipe, small_dataset(), Precision::kFp32, "x * sigmoid(x)", 2);
  recipe.network = wide_resnet(1, 1);
  expect_same_losses(recipe, small_dataset(), Precision::kFp32, "relu", 2);
}

TEST_F(CudaTraining, TenStepsInBf16LoseAboutWhatTheyLoseInFp32OnTheCpu) {
  Recipe recipe = small_recipe(0);
  const EpochPlan plan = plan_of(recipe, small_dataset(), 10);
  const EigenKernel kernel(program_of("swish"));
  CpuLearner cpu(kernel, recipe, small_dataset(), Precision::kFp32, 1, 3);
  OnDevice cuda(recipe, small_dataset(), Precision::kBf16);
  cuda.begin("swish", 3);
  cpu.begin_epoch(plan);
  cuda.network->begin_epoch(plan);
  const auto results = cuda.network->train(0, 10);
  for (std::int64_t step = 0; step < 10; ++step) {
    const double expected = cpu.train(step, 1)[0].loss_sum;
    EXPECT_NEAR(results[static_cast<std::size_t>(step)].loss_sum, expected, 0.1 * expected) << "step " << step;
  }
}

TEST_F(CudaTraining, TheRecipesTenStepsInFp32LoseWhatTheyLoseOnTheCpu) {
  if (simulated() && !std::getenv("ACTSEARCH_TEST_RECIPES")) GTEST_SKIP() << "a minute on the simulator: run with ACTSEARCH_TEST_RECIPES";
  static const Dataset dataset = make_synthetic(1, 2'000, 200);
  for (const char* const recipe : {"quick", "vgg-s", "vgg16-slim"})
    expect_same_losses(find_recipe(recipe), dataset, Precision::kFp32, "swish", 2);
}

TEST_F(CudaTraining, EvaluationAndStateAreTheCpus) {
  const Recipe recipe = small_recipe();
  const EpochPlan plan = plan_of(recipe, small_dataset(), 3);
  const EigenKernel kernel(program_of("swish"));
  CpuLearner cpu(kernel, recipe, small_dataset(), Precision::kFp32, 1, 3);
  OnDevice cuda(recipe, small_dataset(), Precision::kFp32);
  cuda.begin("swish", 3);
  cpu.begin_epoch(plan);
  cuda.network->begin_epoch(plan);
  cpu.train(0, 3);
  cuda.network->train(0, 3);

  // 45 images: the last batch is not a whole one.
  std::vector<std::uint32_t> indices(45);
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::uint32_t>(i);
  for (const ImageRole role : {ImageRole::kTraining, ImageRole::kTest}) {
    const BatchResult expected = cpu.evaluate(role, indices), found = cuda.network->evaluate(role, indices);
    EXPECT_NEAR(found.loss_sum, expected.loss_sum, 1e-5 * expected.loss_sum);
    EXPECT_NEAR(found.correct, expected.correct, 1);
  }

  const auto expected = cpu.state();
  const auto found = cuda.network->state();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(found[i].size(), expected[i].size()) << i;
    double difference = 0, size = 0;
    for (std::size_t k = 0; k < found[i].size(); ++k) {
      difference += std::pow(found[i][k] - expected[i][k], 2);
      size += std::pow(expected[i][k], 2);
    }
    EXPECT_LT(std::sqrt(difference), (i == 1 ? 1e-3 : 1e-4) * std::sqrt(size)) << "array " << i;  // 1: momenta, sums of gradients
  }
  const auto beta = cpu.beta(0), cuda_beta = cuda.network->beta(0);
  ASSERT_EQ(cuda_beta.size(), beta.size());
  for (std::size_t i = 0; i < beta.size(); ++i) EXPECT_NEAR(cuda_beta[i], beta[i], 1e-5);
}

TEST_F(CudaTraining, AStateThatIsPutBackGoesOnAsItWas) {
  const Recipe recipe = small_recipe();
  const EpochPlan plan = plan_of(recipe, small_dataset(), 6);
  OnDevice cuda(recipe, small_dataset(), Precision::kBf16);
  cuda.begin("swish", 3);
  cuda.network->begin_epoch(plan);
  cuda.network->train(0, 3);
  std::vector<std::vector<float>> kept;
  for (const auto values : cuda.network->state()) kept.emplace_back(values.begin(), values.end());
  const auto rest = cuda.network->train(3, 3);
  const std::vector<BatchResult> expected(rest.begin(), rest.end());

  cuda.begin("swish", 99);  // another start
  const auto state = cuda.network->state();
  for (std::size_t i = 0; i < kept.size(); ++i) std::copy(kept[i].begin(), kept[i].end(), state[i].begin());
  cuda.network->restore();
  cuda.network->begin_epoch(plan);
  const auto again = cuda.network->train(3, 3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(again[i].loss_sum, expected[i].loss_sum) << i;
}

TEST_F(CudaTraining, ANetworkTakesOneCandidateAfterTheOther) {
  const Recipe recipe = small_recipe();
  const EpochPlan plan = plan_of(recipe, small_dataset(), 2);
  OnDevice cuda(recipe, small_dataset(), Precision::kFp32);
  const auto losses = [&](const char* formula) {
    cuda.begin(formula, 1);
    cuda.network->begin_epoch(plan);
    const auto results = cuda.network->train(0, 2);
    return std::pair(results[0].loss_sum, results[1].loss_sum);
  };
  const auto first = losses("swish");
  const auto other = losses("x * sigmoid(beta0 * x) + beta1 * x");  // more parameters, so more memory
  EXPECT_NE(first, other);
  EXPECT_NE(losses("beta0 * x + beta1 * abs(x) + beta2 * max(x, 0) + beta3 * tanh(x) + beta4 * sigmoid(x)"), other);  // more than usual
  EXPECT_EQ(losses("swish"), first) << "nothing of the candidate in between is left";
  EXPECT_GT(cuda.network->nodes_per_step(), 30u);
}

// Destroying a network waits for the whole device, and a stream that records at that moment would lose its recording.
TEST_F(CudaTraining, ANetworkRecordsWhileOthersComeAndGo) {
  const Recipe recipe = small_recipe();
  OnDevice cuda(recipe, small_dataset(), Precision::kFp32);
  const CudaNetworkCubins cubins = cuda.cubins();
  std::atomic<bool> over = false;
  std::jthread others([&] {
    cuda.device.make_current();
    while (!over) CudaNetwork(cuda.device, *cuda.images, recipe, Precision::kFp32, cuda.choices, cubins);
  });
  constexpr int kRecordings = 30;
  for (int i = 0; i < kRecordings; ++i) {
    try {
      cuda.begin("relu", 1);
    } catch (const CudaError& error) {
      ADD_FAILURE() << error.what();
      break;
    }
  }
  over = true;
}

TEST_F(CudaTraining, TwoTrialsOfASeedAreTheSameBitForBit) {
  CudaBackend backend(small_dataset(), options());
  TrialOptions trial;
  trial.seed = 5;
  trial.precision = Precision::kBf16;
  trial.report_test = true;
  const auto first = backend.train(program_of("swish"), small_recipe(), trial);
  const auto second = backend.train(program_of("swish"), small_recipe(), trial);
  ASSERT_EQ(first.failure, Failure::kNone) << first.detail;
  ASSERT_EQ(first.epochs.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(first.epochs[i].train_loss, second.epochs[i].train_loss);
    EXPECT_EQ(first.epochs[i].validation_loss, second.epochs[i].validation_loss);
    EXPECT_EQ(first.epochs[i].test_accuracy, second.epochs[i].test_accuracy);
  }
  EXPECT_EQ(first.beta_values, second.beta_values);
}

TEST_F(CudaTraining, WhatWasPreparedIsLoadedAheadAndTrainsAsWhatWasNot) {
  TrialOptions trial;
  trial.pause_after = {0, 3};
  std::vector<double> losses[2];
  for (const bool prepared : {false, true}) {
    CudaBackend backend(small_dataset(), options());
    const std::vector<const char*> formulas{"relu", "swish", "x * tanh(x)", "sin(x) + x", "max(x, sin(x))"};  // more than are kept loaded
    for (const char* const formula : formulas) {
      if (prepared) backend.prepare(program_of(formula), Precision::kFp32);
    }
    for (const char* const formula : formulas) {
      for (int again = 0; again < 2; ++again) {
        const auto outcome = backend.train(program_of(formula), small_recipe(), trial);
        ASSERT_TRUE(outcome.partial) << formula << ": " << outcome.detail;
        losses[prepared].push_back(outcome.partial->train_loss);
      }
    }
    if (prepared) backend.prepare(program_of("cos(x) - x"), Precision::kFp32);  // and nobody takes it
  }
  EXPECT_EQ(losses[0], losses[1]);
}

TEST_F(CudaTraining, ALoadAheadIsTakenOnceAndOneThatIsRefusedIsToldToWhoTakesIt) {
  OnDevice cuda(small_recipe(), small_dataset(), Precision::kFp32);
  const Program relu = program_of("relu");
  const std::string cubin = cuda.compiler.cubin(CudaActivation::source(relu, cuda.storage), cuda.device.architecture());
  CudaAhead ahead(cuda.device, 1);
  std::thread([&] { ahead.load(relu, cuda.storage, cubin); }).join();
  ahead.load(relu, cuda.storage, "no cubin");  // there is one already
  cuda.device.make_current();
  EXPECT_NE(ahead.take(relu, cuda.storage, cubin), nullptr);
  EXPECT_NE(ahead.take(relu, cuda.storage, cubin), nullptr) << "loaded now";
  ahead.load(relu, cuda.storage, "no cubin");
  EXPECT_THROW(ahead.take(relu, cuda.storage, "no cubin"), CudaError);
}

TEST_F(CudaTraining, ATrialThatPausesInsideAnEpochGoesOnBitForBit) {
  CudaBackend backend(small_dataset(), options());
  TrialOptions trial;
  trial.seed = 5;
  trial.precision = Precision::kBf16;
  const auto straight = backend.train(program_of("swish"), small_recipe(), trial);
  trial.checkpoint = std::filesystem::temp_directory_path() / ("actsearch-cuda-pause-" + std::to_string(::getpid()));
  // 12 steps an epoch; the network serves another trial in between.
  for (const TrainingPoint pause : {TrainingPoint{0, 5}, {1, 0}, {1, 7}}) {
    trial.pause_after = pause;
    const auto part = backend.train(program_of("swish"), small_recipe(), trial);
    EXPECT_TRUE(part.paused);
    EXPECT_EQ(part.partial.has_value(), pause.steps > 0);
    TrialOptions other;
    other.pause_after = {0, 2};
    other.precision = Precision::kBf16;
    EXPECT_TRUE(backend.train(program_of("relu"), small_recipe(), other).paused);
  }
  trial.pause_after.reset();
  const auto whole = backend.train(program_of("swish"), small_recipe(), trial);
  std::filesystem::remove(trial.checkpoint);
  EXPECT_EQ(whole.begun, (TrainingPoint{1, 7}));
  ASSERT_EQ(whole.epochs.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(whole.epochs[i].train_loss, straight.epochs[i].train_loss) << i;
    EXPECT_EQ(whole.epochs[i].validation_loss, straight.epochs[i].validation_loss) << i;
  }
  EXPECT_EQ(whole.beta_values, straight.beta_values);
}

TEST_F(CudaTraining, ACandidateThatBlowsUpFailsWithTheStep) {
  CudaBackend backend(small_dataset(), options());
  const auto outcome = backend.train(program_of("exp(exp(x * x))"), small_recipe(), {});
  EXPECT_EQ(outcome.failure, Failure::kNonFiniteLoss);
  EXPECT_NE(outcome.detail.find("step"), std::string::npos);
}

TEST_F(CudaTraining, ACandidateThatDoesNotCompileFailsWithTheWholeLogAndTheOthersTrain) {
  if (!simulated()) GTEST_SKIP() << "no compiler refuses what is emitted; the simulator's can be told to";
  setenv("ACTSEARCH_SIMULATOR_REFUSES", "coshf", 1);
  CudaOptions fresh = options();
  fresh.cache = std::filesystem::temp_directory_path() / ("actsearch-cuda-refused-" + std::to_string(::getpid()));
  {
    CudaBackend backend(small_dataset(), fresh);
    backend.prepare(program_of("cosh(x)"), Precision::kFp32);
    const auto refused = backend.train(program_of("cosh(x)"), small_recipe(), {});
    EXPECT_EQ(refused.failure, Failure::kCompilation);
    EXPECT_EQ(to_text(refused.failure), "does not compile");
    EXPECT_NE(refused.detail.find("coshf is refused"), std::string::npos) << refused.detail;
    EXPECT_TRUE(refused.epochs.empty());
    EXPECT_EQ(backend.train(program_of("relu"), small_recipe(), {}).failure, Failure::kNone);
  }
  unsetenv("ACTSEARCH_SIMULATOR_REFUSES");
  std::filesystem::remove_all(fresh.cache);
}

TEST_F(CudaTraining, SeveralThreadsShareTheDevice) {
  CudaOptions several = options();
  several.jobs = 2;
  CudaBackend backend(small_dataset(), several);
  backend.prepare(program_of("relu"), Precision::kFp32);
  std::vector<TrialOutcome> outcomes(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      threads.emplace_back([&, i] {
        TrialOptions trial;
        trial.seed = i % 2;
        outcomes[i] = backend.train(program_of("relu"), small_recipe(), trial);
      });
    }
  }
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(outcomes[i].epochs.back().train_loss, outcomes[i + 2].epochs.back().train_loss);
  EXPECT_NE(outcomes[0].epochs.back().train_loss, outcomes[1].epochs.back().train_loss);
}

TEST_F(CudaTraining, MeasurementsHaveARowForEverythingAsked) {
  CudaMeasurement what;
  what.activations = {"relu", "swish"};
  what.recipes = {"vgg-s"};
  what.jobs = {1, 2};
  what.batch = 2;
  what.images = 4;
  what.seconds = 0;
  what.kernel_rows = 64;
  const CudaThroughput speed = measure_cuda(0, what);
  EXPECT_GT(speed.copy_bytes_per_second, 0);
  EXPECT_EQ(speed.kernels.size(), 6u) << "three passes of each";
  EXPECT_EQ(speed.compilations.size(), 2u);
  ASSERT_EQ(speed.training.size(), 4u);
  for (const auto& row : speed.training) {
    EXPECT_GT(row.images_per_second, 0);
    EXPECT_GT(row.floor_images_per_second, 0);
    EXPECT_GT(row.start_seconds, 0);
    EXPECT_GT(row.nodes, 60u);
    EXPECT_GT(row.memory_bytes, 1'000'000u);
  }
}

TEST_F(CudaTraining, ARecipeWithOddChannelsIsRefused) {
  Recipe recipe = small_recipe();
  recipe.network = vgg_of({12, Vgg::kPool}, 0);
  CudaBackend backend(small_dataset(), options());
  EXPECT_THROW(backend.train(program_of("relu"), recipe, {}), std::invalid_argument);
}

TEST_F(CudaTraining, WithoutMemoryForAllJobsThereAreFewer) {
  if (!simulated()) GTEST_SKIP() << "needs the simulator's small memory";
  const char* const memory = std::getenv("ACTSEARCH_SIMULATOR_MEMORY");
  if (!memory) GTEST_SKIP() << "run with ACTSEARCH_SIMULATOR_MEMORY";
  CudaOptions several = options();
  several.jobs = 8;
  std::mutex mutex;
  std::vector<std::string> said;
  several.say = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    said.push_back(line);
  };
  CudaBackend backend(small_dataset(), several);
  std::vector<TrialOutcome> outcomes(8);
  {
    std::vector<std::jthread> threads;
    for (TrialOutcome& outcome : outcomes) {
      threads.emplace_back([&] { outcome = backend.train(program_of("relu"), small_recipe(), {}); });
    }
  }
  for (const TrialOutcome& outcome : outcomes) {
    ASSERT_EQ(outcome.epochs.size(), 2u);
    EXPECT_EQ(outcome.epochs[1].train_loss, outcomes[0].epochs[1].train_loss);
  }
  ASSERT_FALSE(said.empty());
  EXPECT_NE(said[0].find("out of memory"), std::string::npos) << said[0];
  EXPECT_LT(said.size(), 8u);
  Recipe large = small_recipe();
  large.network = vgg_of({256, Vgg::kPool}, 0);
  large.batch = 100;
  EXPECT_THROW(backend.train(program_of("relu"), large, {}), CudaOutOfMemory) << "too much for one";
  EXPECT_EQ(backend.train(program_of("relu"), small_recipe(), {}).epochs.size(), 2u) << "and what fits still does";
}

TEST_F(CudaTraining, ALostDeviceIsAnError) {
  if (!std::getenv("ACTSEARCH_SIMULATOR_LOST_AFTER")) GTEST_SKIP() << "run with ACTSEARCH_SIMULATOR_LOST_AFTER";
  CudaBackend backend(small_dataset(), options());
  EXPECT_THROW(backend.train(program_of("relu"), small_recipe(), {}), CudaError);
}

}  // namespace
}  // namespace actsearch
