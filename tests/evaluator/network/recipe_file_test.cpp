#include "evaluator/network/recipe_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "evaluator/network/plan.h"
#include "tests/evaluator/network/networks.h"

namespace actsearch {
namespace {

TEST(RecipeFile, OfEveryRecipeReadsBackAsTheSameRecipe) {
  for (const Recipe& recipe : recipes()) {
    const Recipe read = read_recipe_file(recipe_file(recipe));
    EXPECT_EQ(to_text(read, Precision::kFp32), to_text(recipe, Precision::kFp32));
    EXPECT_EQ(read.network.layers, recipe.network.layers) << recipe.name;
  }
}

TEST(RecipeFile, OfEveryKindOfLayerDoesToo) {
  Recipe recipe;
  recipe.name = "own";
  recipe.network = network_of(testing::every_kind_of_layer().layers);
  const Recipe read = read_recipe_file(recipe_file(recipe));
  EXPECT_EQ(read.network.layers, recipe.network.layers);
  EXPECT_EQ(to_text(read, Precision::kBf16), to_text(recipe, Precision::kBf16));
  EXPECT_EQ(read.network.text.find("layers=convolution,channels:8,kernel:5,stride:2,padding:2,bias:1;activation,name:stem;"), 0u)
      << read.network.text;
}

/// What stored conditions say is a recipe again.
TEST(RecipeText, ReadsBack) {
  Recipe own;
  own.name = "own";
  own.network = network_of(testing::every_kind_of_layer().layers);
  std::vector<Recipe> all = recipes();
  all.push_back(own);
  for (Recipe recipe : all) {
    recipe.epochs = 7;
    recipe.validation_fold = 1;
    recipe.score = ScoreMeasure::kValidationLoss;
    const std::string text = to_text(recipe, Precision::kBf16);
    const auto read = read_recipe(text + " data=CIFAR-10, MD5 of the six files 0");
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(to_text(read->first, read->second), text);
    EXPECT_EQ(read->first.network.layers, recipe.network.layers) << recipe.name;
    EXPECT_EQ(score_measure(text), ScoreMeasure::kValidationLoss);
  }
  EXPECT_FALSE(read_recipe(""));
  EXPECT_FALSE(read_recipe("vgg-s"));
  EXPECT_FALSE(read_recipe(to_text(own, Precision::kFp32).replace(0, 3, "o w n")));
}

TEST(RecipeText, SaysWhatRanksWhereThatIsNotTheAccuracy) {
  Recipe recipe = find_recipe("vgg16-slim");
  EXPECT_EQ(to_text(recipe, Precision::kBf16).find("score"), std::string::npos) << "older texts have none";
  EXPECT_EQ(score_measure(to_text(recipe, Precision::kBf16)), ScoreMeasure::kAccuracy);
  recipe.score = ScoreMeasure::kValidationLoss;
  const std::string newer = to_text(recipe, Precision::kBf16, kNumerics + 1);
  EXPECT_FALSE(read_recipe(newer));
  EXPECT_EQ(score_measure(newer), ScoreMeasure::kValidationLoss) << "a leaderboard shows what it cannot train";
  EXPECT_FALSE(read_recipe(to_text(recipe, Precision::kBf16).replace(newer.find("score=") + 6, 15, "beauty")));
}

TEST(RecipeText, SaysItsNumericsVersionFromTheSecondOn) {
  const Recipe& recipe = find_recipe("vgg16-slim");
  const std::string first = to_text(recipe, Precision::kBf16, 1), second = to_text(recipe, Precision::kBf16, 2);
  EXPECT_EQ(first.find("numerics"), std::string::npos) << "older texts have none";
  EXPECT_NE(second.find(" numerics=2 "), std::string::npos);
  EXPECT_TRUE(read_recipe(to_text(recipe, Precision::kBf16)));
  EXPECT_FALSE(read_recipe(to_text(recipe, Precision::kBf16, kNumerics + 1))) << "its trials cannot be repeated here";
}

TEST(RecipeFile, SaysWhatIsWrongWithIt) {
  const std::string layers =
      R"("layers": [{"kind": "convolution", "channels": 8, "kernel": 3, "padding": 1}, {"kind": "activation"}, {"kind": "flatten"}, {"kind": "dense"}])";
  const auto with = [&](const std::string& more) { return R"({"name": "own", "network": {)" + layers + "}" + more + "}"; };
  EXPECT_NO_THROW(read_recipe_file(with("")));
  const std::vector<std::pair<std::string, std::string>> spoilt{
      {"", "this is not JSON"},
      {"{", "this is not JSON"},
      {"[]", "the recipe is not an object"},
      {R"({"network": {)" + layers + "}}", "\"name\" is missing"},
      {R"({"name": "a b", "network": {)" + layers + "}}", "\"name\" has other signs than letters"},
      {R"({"name": "own"})", "\"network\" is missing"},
      {R"({"name": "own", "network": {}})", "the network has no \"layers\""},
      {R"({"name": "own", "network": {"layers": [{"kind": "conv"}]}})", "no layer is called \"conv\"; there are convolution"},
      {R"({"name": "own", "network": {"layers": [{"kind": "activation", "kernel": 3}]}})",
       "layer 1 has \"kernel\", which means nothing there"},
      {R"({"name": "own", "network": {"layers": [{"kind": "convolution", "kernel": "3"}]}})",
       "layer 1: \"kernel\" is not a whole number of 1 or more"},
      {R"({"name": "own", "network": {"layers": [{"kind": "add", "from": [1]}]}})", "layer 1: \"from\" is neither a name nor a list"},
      {R"({"name": "own", "network": {"image_side": 24, )" + layers + "}}", "\"image_side\" does not divide 32"},
      {with(R"(, "epoch": 3)"), "the recipe has \"epoch\", which means nothing there; it may have name, network, epochs"},
      {with(R"(, "epochs": 0)"), "\"epochs\" is not a whole number of 1 or more"},
      {with(R"(, "epochs": 1.5)"), "\"epochs\" is not a whole number"},
      {with(R"(, "momentum": "0.9")"), "\"momentum\" is not a number from"},
      {with(R"(, "decay_all": 1)"), "\"decay_all\" is neither true nor false"},
      {with(R"(, "schedule": {"kind": "cosine"})"), "the schedule: \"kind\" is neither one-cycle nor step"},
      {with(R"(, "schedule": {"kind": "step", "milestones": 3})"), "\"milestones\" is not a list of epochs"},
      {with(R"(, "augmentation": {"crop": 4})"), "the augmentation has \"crop\""},
      {R"({"name": "resnet20", "network": {)" + layers + "}}", "\"resnet20\" is the name of a built-in recipe"},
  };
  for (const auto& [text, message] : spoilt) {
    try {
      read_recipe_file(text);
      ADD_FAILURE() << text << " is taken";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << text << ": " << error.what();
    }
  }
}

TEST(NetworkFile, TakesTheRecipesNetworkItsPlaceAndTheFilesName) {
  const Recipe recipe = with_network_file(find_recipe("vgg-s"), "mine", recipe_file(find_recipe("resnet20")));
  EXPECT_EQ(recipe.name, "mine");
  EXPECT_EQ(recipe.network.layers, resnet(3).layers);
  EXPECT_EQ(recipe.epochs, find_recipe("vgg-s").epochs);
  EXPECT_THROW(with_network_file(find_recipe("vgg-s"), "my net", recipe_file(find_recipe("resnet20"))), std::invalid_argument);
  EXPECT_THROW(with_network_file(find_recipe("vgg-s"), "vgg16-bn", recipe_file(find_recipe("resnet20"))), std::invalid_argument);
}

/// Every network that the page shows is one.
TEST(NetworkFile, TheExamplesOfTheDocumentationTrain) {
  std::ifstream file(ACTSEARCH_SOURCE_DIR "/docs/networks.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  int examples = 0;
  for (std::size_t at = 0; (at = page.find("```json\n", at)) != std::string::npos; ++examples) {
    at += 8;
    const Recipe recipe = with_network_file(find_recipe("vgg-s"), "example", page.substr(at, page.find("```", at) - at));
    EXPECT_GT(parameter_count(recipe.network), 1'000);
  }
  EXPECT_EQ(examples, 3);
}

}  // namespace
}  // namespace actsearch
