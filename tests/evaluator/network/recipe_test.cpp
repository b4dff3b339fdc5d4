#include "evaluator/network/recipe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>

#include "evaluator/network/plan.h"

namespace actsearch {
namespace {

constexpr int kM = Vgg::kPool;

Network vgg_of(std::vector<int> features, std::vector<int> dense = {}, bool convolution_bias = false) {
  const double dropout = dense.size() > 1 ? 0.5 : 0;
  return vgg({.features = std::move(features),
              .dense = std::move(dense),
              .dropout = dropout,
              .convolution_bias = convolution_bias,
              .average_pool = false});
}

TEST(Recipes, AreFoundByTheirNames) {
  std::set<std::string> names;
  for (const Recipe& recipe : recipes()) {
    EXPECT_EQ(find_recipe(recipe.name).name, recipe.name);
    EXPECT_TRUE(names.insert(recipe.name).second) << recipe.name;
  }
  EXPECT_TRUE(names.contains("quick") && names.contains("vgg16-slim") && names.contains("vgg16-bn-mxnet"));
}

TEST(Recipes, OfAnUnknownNameAreAnErrorThatListsTheKnown) {
  try {
    find_recipe("vgg17");
    FAIL() << "no error";
  } catch (const std::invalid_argument& error) {
    const std::string what = error.what();
    EXPECT_EQ(what.find("no recipe is called \"vgg17\"; there are "), 0u) << what;
    for (const Recipe& recipe : recipes()) EXPECT_NE(what.find(recipe.name), std::string::npos) << what;
  }
}

TEST(Recipes, HaveTheStatedNetworks) {
  EXPECT_EQ(find_recipe("vgg-s").network.layers, vgg_of({32, 32, kM, 64, 64, kM, 128, 128, kM}).layers);
  EXPECT_EQ(find_recipe("vgg-m").network.layers, vgg_of({64, 64, kM, 128, 128, kM, 256, 256, kM}).layers);
  EXPECT_EQ(find_recipe("vgg16-slim").network.layers,
            vgg_of({16, 16, kM, 32, 32, kM, 64, 64, 64, kM, 128, 128, 128, kM, 128, 128, 128, kM}).layers);
  EXPECT_EQ(find_recipe("vgg16-bn").network.layers,
            vgg_of({64, 64, kM, 128, 128, kM, 256, 256, 256, kM, 512, 512, 512, kM, 512, 512, 512, kM}, {4096, 4096}, true).layers);
}

TEST(Recipes, QuickIsASmallNetworkOnSmallerImagesForTwoEpochsOfAPart) {
  const Recipe& quick = find_recipe("quick");
  EXPECT_EQ(quick.network.layers, vgg_of({16, 16, kM, 32, 32, kM, 64, 64, kM}).layers);
  EXPECT_EQ(quick.network.image_side, 16);
  EXPECT_EQ(quick.train_size, 40'000);
  EXPECT_EQ(quick.epochs, 2);
  Network small = vgg_of({4});
  small.image_side = 16;
  EXPECT_EQ(forward_flop(small), 2 * (9 * 3 * 4 * 256 + 256 * 4 * 10));
}

TEST(Recipes, FitOtherImagesAndKeepTheFactorByWhichTheyAreAveraged) {
  const Network small = find_recipe("vgg-s").network, quick = find_recipe("quick").network;
  const ImageShape grey{.channels = 1, .side = 48, .classes = 100, .mean = {}, .deviation = {}};
  const Network fitted = for_images(small, grey);
  EXPECT_EQ(fitted.image_side, 48);
  EXPECT_EQ(parameter_count(fitted),
            9 * (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * 2 * (32 + 64 + 128) + 36 * 128 * 100 + 100);
  EXPECT_EQ(activation_channels(fitted), activation_channels(small));
  EXPECT_EQ(for_images(quick, grey).image_side, 24);
  EXPECT_EQ(for_images(for_images(quick, grey), grey).image_side, 24) << "twice";
  EXPECT_EQ(for_images(for_images(quick, grey), kCifar10Shape).image_side, 16) << "and back";
}

TEST(Recipes, SayWhichSidesSuitThemWhereAPoolMeetsAnOddOne) {
  const auto message = [](const char* recipe, int side) {
    try {
      for_images(find_recipe(recipe).network, {.channels = 1, .side = side, .classes = 10, .mean = {}, .deviation = {}});
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message("vgg-s", 28).find("images with a side of 28: resize them with --image-side 32 or 24, or choose another --recipe"),
            std::string::npos)
      << message("vgg-s", 28);
  EXPECT_NE(message("quick", 40).find("a side of 40: resize them with --image-side 48 or 32"), std::string::npos);
  EXPECT_NE(message("vgg16-slim", 16).find("a side of 16: resize them with --image-side 32, or choose another --recipe"),
            std::string::npos);
  EXPECT_EQ(message("vgg-s", 40), "");
}

TEST(Recipes, TextsNameAShapeThatIsNotCifar10s) {
  Recipe recipe = find_recipe("vgg-s");
  const std::string before = to_text(recipe, Precision::kFp32);
  EXPECT_EQ(before.find("classes="), std::string::npos);
  recipe.network = for_images(recipe.network, {.channels = 1, .side = 64, .classes = 100, .mean = {}, .deviation = {}});
  EXPECT_NE(to_text(recipe, Precision::kFp32).find(" channels=1 classes=100 image_side=64 "), std::string::npos);
  recipe.network = for_images(recipe.network, kCifar10Shape);
  EXPECT_EQ(to_text(recipe, Precision::kFp32), before);
}

TEST(Recipes, CountParametersAsTheLayersHaveThem) {
  // 9·in·out of each convolution, 2·out of its batch norm, then the linear head from 4×4×128.
  EXPECT_EQ(parameter_count(find_recipe("vgg-s").network),
            9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * 2 * (32 + 64 + 128) + 2'048 * 10 + 10);
  const Network small = vgg_of({4, kM}, {5}, true);
  EXPECT_EQ(parameter_count(small), 3 * 9 * 4 + 4 + 2 * 4 + (16 * 16 * 4 * 5 + 5) + (5 * 10 + 10));
}

TEST(Recipes, CountFlopAndActivationChannelsAsTheLayersHaveThem) {
  const Network small = vgg_of({4, kM, 6}, {5});
  EXPECT_EQ(forward_flop(small), 2 * (9 * 3 * 4 * 1'024 + 9 * 4 * 6 * 256 + 256 * 6 * 5 + 5 * 10));
  EXPECT_EQ(activation_channels(small), 4 + 6 + 5);
}

/// PAPER: the published Apache MXNet run.
TEST(PublishedRun, HasItsNumberOfTrainableParameters) {
  EXPECT_EQ(parameter_count(find_recipe("vgg16-bn-mxnet").network), 33'646'666);
  EXPECT_EQ(parameter_count(find_recipe("vgg16-bn").network), 33'646'666);
}

TEST(PublishedRun, IsKeptToTheLetter) {
  EXPECT_EQ(to_text(find_recipe("vgg16-bn-mxnet"), Precision::kFp32),
            "vgg16-bn-mxnet features=64-64-M-128-128-M-256-256-256-M-512-512-512-M-512-512-512-M dense=4096-4096 dropout=0.5 "
            "convolution_bias=yes initialisation=mxnet batch_norm_momentum=0.9 batch_norm_epsilon=1e-05 epochs=40 batch=128 "
            "schedule=step peak=0.1 milestones=10-20-30 factor=0.1 momentum=0.9 weight_decay=0.0001 decay_all=yes flip=yes pad=0 "
            "normalise=no shuffle=no validation=0 precision=fp32");
}

TEST(PublishedRun, LowersItsRateAfterEpochs10And20And30) {
  const Recipe& recipe = find_recipe("vgg16-bn-mxnet");
  const auto rate = [&](int epoch) { return recipe.schedule.rate(epoch * 391 + 390, 391, recipe.epochs); };
  for (const int epoch : {0, 10}) EXPECT_DOUBLE_EQ(rate(epoch), 0.1) << epoch;
  for (const int epoch : {11, 20}) EXPECT_DOUBLE_EQ(rate(epoch), 0.01) << epoch;
  for (const int epoch : {21, 30}) EXPECT_DOUBLE_EQ(rate(epoch), 0.001) << epoch;
  for (const int epoch : {31, 39}) EXPECT_DOUBLE_EQ(rate(epoch), 0.0001) << epoch;
  EXPECT_DOUBLE_EQ(recipe.schedule.rate(11 * 391, 391, recipe.epochs), 0.01) << "the first step of epoch 11";
}

TEST(OneCycle, RisesForAQuarterOfTheStepsToItsPeakAndFallsToNothing) {
  const Schedule schedule{.peak = 0.4, .warmup = 0.25, .milestones = {}};
  const auto rate = [&](std::int64_t step) { return schedule.rate(step, 100, 8); };
  EXPECT_NEAR(rate(0), 0.4 * 0.5 / 200, 1e-15);
  EXPECT_NEAR(rate(799), 0.4 * 0.5 / 600, 1e-15);
  double sum = 0;
  for (std::int64_t step = 0; step < 800; ++step) {
    sum += rate(step);
    EXPECT_GT(rate(step), 0.0);
    EXPECT_LE(rate(step), 0.4);
    EXPECT_EQ(rate(step + 1) > rate(step), step < 200) << step;
  }
  EXPECT_NEAR(sum, 800 * 0.4 / 2, 1e-9) << "the area of a triangle";
}

TEST(OneCycle, WorksWithoutAWarmUpAndWithNothingElse) {
  EXPECT_NEAR((Schedule{.peak = 1, .warmup = 0, .milestones = {}}.rate(0, 10, 1)), 0.95, 1e-15);
  EXPECT_NEAR((Schedule{.peak = 1, .warmup = 1, .milestones = {}}.rate(9, 10, 1)), 0.95, 1e-15);
}

TEST(RecipeText, IsTheWholeTextOfTheDefaultSearchRecipe) {
  EXPECT_EQ(to_text(find_recipe("vgg16-slim"), Precision::kBf16),
            "vgg16-slim features=16-16-M-32-32-M-64-64-64-M-128-128-128-M-128-128-128-M dense=none dropout=0 convolution_bias=no "
            "initialisation=he batch_norm_momentum=0.9 batch_norm_epsilon=1e-05 epochs=3 batch=128 schedule=one-cycle peak=0.1 "
            "warmup=0.25 momentum=0.9 weight_decay=0.0005 decay_all=no flip=yes pad=0 normalise=yes shuffle=yes validation=5000 "
            "precision=bf16");
}

/// Whatever makes another trial makes another text.
TEST(RecipeText, ChangesWithEveryField) {
  const Recipe base = find_recipe("vgg16-bn");
  const std::vector<std::function<void(Recipe&)>> changes{
      [](Recipe& r) { r.name = "other"; },
      [](Recipe& r) {
        r.network = vgg_of({4, kM}, {5, 6}, true);
      },
      [](Recipe& r) {
        r.network = vgg_of({4, kM}, {5}, true);
      },
      [](Recipe& r) { r.network = resnet(3); },
      [](Recipe& r) {
        r.network = vgg_of({4, kM}, {5});
      },
      [](Recipe& r) { r.network.initialisation = Network::Initialisation::kMxnet; },
      [](Recipe& r) { r.network.batch_norm_momentum = 0.99; },
      [](Recipe& r) { r.network.batch_norm_epsilon = 1e-3; },
      [](Recipe& r) { r.epochs = 41; },
      [](Recipe& r) { r.batch = 64; },
      [](Recipe& r) { r.schedule.kind = Schedule::Kind::kOneCycle; },
      [](Recipe& r) { r.schedule.kind = Schedule::Kind::kOneCycle, r.schedule.warmup = 0.5; },
      [](Recipe& r) { r.schedule.peak = 0.1 + 1e-12; },
      [](Recipe& r) { r.schedule.milestones.push_back(35); },
      [](Recipe& r) { r.schedule.factor = 0.2; },
      [](Recipe& r) { r.momentum = 0.8; },
      [](Recipe& r) { r.weight_decay = 0; },
      [](Recipe& r) { r.decay_all = true; },
      [](Recipe& r) { r.augmentation.flip = false; },
      [](Recipe& r) { r.augmentation.pad = 3; },
      [](Recipe& r) { r.augmentation.normalise = false; },
      [](Recipe& r) { r.augmentation.shuffle = false; },
      [](Recipe& r) { r.validation_size = 1; },
      [](Recipe& r) { r.validation_fold = 1; },
      [](Recipe& r) { r.train_size = 1'000; },
      [](Recipe& r) { r.score = ScoreMeasure::kValidationLoss; },
      [](Recipe& r) { r.network.image_side = 16; },
  };
  std::set<std::string> texts{to_text(base, Precision::kFp32), to_text(base, Precision::kBf16)};
  for (const auto& change : changes) {
    Recipe changed = base;
    change(changed);
    texts.insert(to_text(changed, Precision::kFp32));
  }
  EXPECT_EQ(texts.size(), changes.size() + 2);
  for (const std::string& text : texts) EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace actsearch
