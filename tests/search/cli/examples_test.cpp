// The scripts of examples/ that a search calls, each run shortly. They need the framework that they train in.

#include <gtest/gtest.h>

#include "tests/kernels/export/python.h"
#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

class Examples : public CommandLine {
 protected:
  /// Races three functions to the second epoch with the example's script and more flags; expects a score of each that comes so far.
  void searches(const std::string& python, const std::string& folder, const std::string& flags_of_script,
                const std::vector<std::string>& more) const {
    const std::string script = (std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "examples" / folder / "train.py").string();
    std::vector<std::string> words{
        "search",
        "--db",
        path("a.db"),
        "--evaluator",
        python + " '" + script + "' --module {module} --seed {seed} --epochs {epochs} --state {state} " + flags_of_script,
        "--epochs",
        "2",
        "--racing",
        "--rungs",
        "1",
        "--expr",
        "swish",
        "--expr",
        "x * tanh(x)",
        "--unary",
        "identity",
        "--binary",
        "add",
        "--budget-trials",
        "3",
        "--jobs",
        "1"};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    const SqliteStore store(path("a.db"), Store::Access::kReadOnly);
    EXPECT_EQ(cell(store, "SELECT count(*) FROM trials WHERE status = 'failed'"), "0")
        << cell(store, "SELECT detail FROM failures LIMIT 1");
    EXPECT_EQ(cell(store, "SELECT status FROM trials WHERE name = 'relu'"), "done") << "the reference of a race comes to its end";
    EXPECT_EQ(cell(store, "SELECT count(*) FROM epochs WHERE name = 'relu'"), "2");
    EXPECT_NE(cell(store, "SELECT count(*) FROM epochs WHERE name = 'swish'"), "0") << "it has a beta";
    EXPECT_EQ(ran.err.find("begins paused trials anew"), std::string::npos) << "it goes on from its state: " << ran.err;
    const Ran ranked = run({"leaderboard", "--db", path("a.db")});
    EXPECT_EQ(ranked.code, 0) << ranked.err;
    EXPECT_NE(ranked.out.find("relu"), std::string::npos) << ranked.out;
  }
};

TEST_F(Examples, OwnTrainingSearches) {
  const std::string python = python_with("torch");
  if (python.empty()) GTEST_SKIP() << "PyTorch is not installed";
  searches(python, "own_training", "--images 200", {});
}

TEST_F(Examples, TheTransformerSearchesForTheLowestLoss) {
  const std::string python = python_with("torch");
  if (python.empty()) GTEST_SKIP() << "PyTorch is not installed";
  searches(python, "transformer", "--width 16 --layers 1", {"--metric", "loss", "--minimize"});
  const SqliteStore store(path("a.db"), Store::Access::kReadOnly);
  EXPECT_EQ(cell(store, "SELECT count(*) FROM trials WHERE accuracy >= 0"), "0") << "a loss is stored as its negative";
}

TEST_F(Examples, FlaxSearches) {
  const std::string python = python_with("jax, flax, optax");
  if (python.empty()) GTEST_SKIP() << "JAX, Flax or optax is not installed";
  searches(python, "jax_flax", "--images 128 --width 4", {"--target", "jax"});
}

}  // namespace
}  // namespace actsearch::testing
