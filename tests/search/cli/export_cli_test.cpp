// actsearch export as people meet it.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "db/sqlite/store.h"
#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

using nlohmann::json;

TEST_F(CommandLine, ExportWritesAFormulaForEveryTarget) {
  for (const char* target : {"pytorch", "jax", "keras", "onnx", "cuda", "c", "latex", "sympy", "mathml"}) {
    const Ran ran = run({"export", "x * sigmoid(beta * x)", "--to", target});
    EXPECT_EQ(ran.code, 0) << target << ran.err;
    EXPECT_EQ(ran.err, "") << target;
    for (const char* part : {"y = x * sigmoid(beta * x)", "Given on the command line", "Written by actsearch", "MIT"}) {
      EXPECT_NE(ran.out.find(part), std::string::npos) << target << " lacks " << part;
    }
  }
  EXPECT_NE(run({"export", "swish", "--to", "pytorch"}).out.find("class Swish(nn.Module)"), std::string::npos);
  EXPECT_NE(run({"export", "sigmoid(beta*x)*x", "--to", "pytorch"}).out.find("class Swish(nn.Module)"), std::string::npos)
      << "a well-known formula has its name, in whatever order it is written";
  EXPECT_EQ(run({"export", "min(max(x, 0), 6)", "--to", "pytorch"}).out.find("class Relu"), std::string::npos)
      << "equal to relu below 6 only";
  const std::string domain = std::string("\x3a\x09") + "actsearch";  // of a node that calls a local function
  EXPECT_NE(run({"export", "swish", "--to", "onnx"}).out.find(domain), std::string::npos);
  const Ran inlined = run({"export", "swish", "--to", "onnx", "--inline"});
  EXPECT_EQ(inlined.code, 0) << inlined.err;
  EXPECT_EQ(inlined.out.find(domain), std::string::npos);
  EXPECT_NE(inlined.out.find("swish/Sigmoid_"), std::string::npos) << "nodes have names";
  EXPECT_EQ(run({"export", "sqrt(x)", "--to", "c"}).code, 0) << "what no search would train is exported all the same";
}

TEST_F(CommandLine, ExportTakesARowOfTheLeaderboardAndSaysHowItWasFound) {
  const std::string file = filled_database();
  const json rows = json::parse(run({"leaderboard", "--db", file, "--format", "json"}).out);
  for (const std::size_t rank : {1, 5}) {
    const Ran ran = run({"export", "--db", file, "--rank", std::to_string(rank), "--to", "jax"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    const std::string formula = rows[rank - 1]["formula"];
    EXPECT_EQ(ran.out.rfind("# y = " + formula + "\n", 0), 0u) << formula << ran.out.substr(0, 300);
    for (const std::string& part : {std::string("Study 1 (search, space core1, strategy exhaustive, seed 0), program commit abc."),
                                    std::string("n = 1, so without an interval"), "rank " + std::to_string(rank), std::string("vgg-s")}) {
      EXPECT_NE(ran.out.find(part), std::string::npos) << part << ran.out.substr(0, 900);
    }
  }
  EXPECT_EQ(run({"export", "--db", file, "--to", "c"}).out.rfind("// y = " + rows[0]["formula"].get<std::string>(), 0), 0u) << "the first";
  refuses({"export", "--db", file, "--rank", "13", "--to", "c"}, kUsage, {"--rank 13", "ranks 12 functions"});
  refuses({"export", "--db", file, "--rank", "0", "--to", "c"}, kUsage, {"--rank", "'0'"});
  refuses({"export", "--db", file, "--rank", "-1", "--to", "c"}, kUsage, {"--rank"});
  refuses({"export", "--db", file, "--recipe", "vgg-m", "--to", "c"}, kUsage, {"ranks 0 functions"});
  refuses({"export", "--db", path("missing.db"), "--to", "c"}, kFailure, {"missing.db"});
}

TEST_F(CommandLine, ExportOfADatabaseWithForeignTextIsHarmless) {
  const std::string file = path("hostile.db");
  {
    SqliteStore database(file, Store::Access::kCreate);
    StudyRecord record{"search", "core1\nimport os", "*/ int broken; /*", 0, "vgg-s", "none", "{}", "abc\r\n#error", "a machine"};
    const Id study = database.study(record), recipe = database.recipe("vgg-s", "vgg-s --> <script>");
    const auto store = [&](const std::string& formula, double accuracy) {
      Claim claim;
      database.claim(study, database.candidate({"fingerprint of " + formula, formula, "", 0}), recipe, 0, std::chrono::seconds(60), &claim);
      TrialRecord result;
      result.validation_accuracy = accuracy;
      EXPECT_TRUE(database.finish(claim.trial, result, {}));
    };
    store("sin(x)", 0.9);
    store("'); DROP TABLE trial; --", 0.8);
  }
  const Ran python = run({"export", "--db", file, "--to", "pytorch"});
  EXPECT_EQ(python.code, 0) << python.err;
  EXPECT_EQ(python.out.find("\nimport os"), std::string::npos);
  EXPECT_NE(python.out.find("# Study 1 (search, space core1.import os"), std::string::npos) << python.out.substr(0, 500);
  EXPECT_EQ(run({"export", "--db", file, "--to", "c"}).out.find("\n#error"), std::string::npos);
  refuses({"export", "--db", file, "--rank", "2", "--to", "c"}, kFailure, {"hostile.db", "rank 2 cannot be read"});
}

TEST_F(CommandLine, ExportWritesAFileWholeAndReplacesNoneUnasked) {
  const std::string file = path("swish.onnx");
  const Ran first = run({"export", "swish", "--to", "onnx", "--out", file});
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.out, "");
  EXPECT_EQ(read_text(file), run({"export", "swish", "--to", "onnx"}).out);
  const std::string before = read_text(file);
  refuses({"export", "relu", "--to", "onnx", "--out", file}, kUsage, {"swish.onnx", "exists", "--force"});
  EXPECT_EQ(read_text(file), before);
  EXPECT_EQ(run({"export", "relu", "--to", "onnx", "--out", file, "--force"}).code, 0);
  EXPECT_NE(read_text(file), before);
  refuses({"export", "relu", "--to", "c", "--out", path("no/such/folder/relu.h")}, kFailure, {"relu.h"});
  refuses({"export", "relu", "--to", "c", "--out", directory_.path(), "--force"}, kUsage, {"not a regular file"});
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
    files += entry.path().filename().string().find("onnx") != std::string::npos;
  EXPECT_EQ(files, 1u) << "nothing unfinished is left";
}

TEST_F(CommandLine, ExportRefusesWhatMakesNoSense) {
  refuses({"export", "relu"}, kUsage, {"--to is required"});
  refuses({"export", "relu", "--to", "pytroch"}, kUsage, {"'pytroch'", "did you mean 'pytorch'", "sympy"});
  refuses({"export", "--to", "c"}, kUsage, {"a formula is expected", "--db"});
  refuses({"export", "relu", "--db", path("a.db"), "--to", "c"}, kUsage, {"not both"});
  refuses({"export", "relu", "--rank", "1", "--to", "c"}, kUsage, {"--rank", "--db"});
  refuses({"export", "relu", "--force", "--to", "c"}, kUsage, {"--force", "--out"});
  refuses({"export", "relu", "--inline", "--to", "c"}, kUsage, {"--inline", "--to onnx"});
  refuses({"export", "relu +", "--to", "c"}, kUsage, {"column"});
  refuses({"export", "x * 1e60", "--to", "onnx"}, kUsage, {"onnx cannot express the number 1e+60", "single precision"});
  refuses({"export", "x * 1e60", "--to", "cuda"}, kUsage, {"cuda cannot express the number 1e+60"});
}

}  // namespace
}  // namespace actsearch::testing
