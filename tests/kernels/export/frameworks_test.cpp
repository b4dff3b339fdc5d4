// What the targets write, run by the frameworks themselves beside the double reference: one process a framework, all formulas in it. A
// framework that no Python here has is skipped.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/kernels/export/cases.h"
#include "tests/kernels/export/folder.h"
#include "tests/kernels/export/python.h"
#include "tests/kernels/finite_cases.h"

namespace actsearch::testing {
namespace {

using Json = nlohmann::json;

/// What python_with is asked for: PyTorch as Debian has it, and one that has torch.func and torch.compile.
constexpr const char* kOlderTorch = "torch; assert not hasattr(torch, \"func\")";
constexpr const char* kNewerTorch = "torch; assert hasattr(torch.compiler, \"is_compiling\") and hasattr(torch, \"func\")";

Json optional_numbers(const std::optional<std::vector<double>>& numbers) { return numbers ? Json(*numbers) : Json(); }

/// cases.json: every formula with its points; numbers that are not finite are null.
std::string cases_json() {
  Json list = Json::array();
  for (const ExportCase& c : export_cases()) {
    Json points = Json::array();
    for (const ExportPoint& p : c.points) {
      points.push_back({{"x", p.x},
                        {"beta", p.beta},
                        {"values", p.values},
                        {"single", optional_numbers(p.single_bound)},
                        {"double", optional_numbers(p.double_bound)}});
    }
    list.push_back({{"name", c.activation.name},
                    {"class", c.activation.class_name},
                    {"formula", c.activation.formula},
                    {"parameters", c.activation.parameter_count()},
                    {"safe", std::count(safe_formulas().begin(), safe_formulas().end(), c.activation.formula) > 0},
                    {"points", points}});
  }
  return list.dump();
}

constexpr std::pair<const char*, const char*> kUsed[] = {{"swish", "swish"},
                                                         {"swish1", "swish1"},
                                                         {"relu", "relu"},
                                                         {"tanh", "tanh(x)"},
                                                         {"softplus", "softplus(x)"},
                                                         {"shifted", "sigmoid(x + beta)"},
                                                         {"shift", "x + beta"},
                                                         {"two", "beta * x * sigmoid(x * beta)"}};

/// Runs tests/kernels/export/<script>.py on the folder; it says at its end that it compared at least so many things.
void run_script(const std::string& python, const std::string& script, const Folder& folder, int least, const std::string& argument = "") {
  const Shell ran =
      shell(python + " -W ignore " ACTSEARCH_SOURCE_DIR "/tests/kernels/export/" + script + ".py " + (folder / "") + " " + argument);
  EXPECT_EQ(ran.code, 0) << ran.output.substr(0, 6000);
  const std::size_t last = ran.output.rfind("compared ");
  ASSERT_NE(last, std::string::npos) << ran.output.substr(0, 6000);
  EXPECT_GE(std::stoi(ran.output.substr(last + 9)), least) << ran.output.substr(0, 6000);
}

/// Writes every formula for the target into a folder and runs tests/kernels/export/check_<target>.py on it. The script prints a line for
/// each thing that is wrong, and last "compared N"; N is at least `least`.
void check(const std::string& target, const std::string& extension, const std::string& modules, int least) {
  const std::string python = python_with(modules);
  if (python.empty()) {
    GTEST_SKIP() << "no Python here imports " << modules << " (scripts/setup.sh --with-torch, --with-newest-torch, --with-frameworks)";
  }
  const Folder folder;
  folder.write("cases.json", cases_json());
  for (const ExportTarget& one : export_targets()) {
    if (one.name != target) continue;
    for (const ExportCase& c : export_cases()) {
      folder.write("exported/" + c.activation.name + extension, one.write(c.activation));
      if (one.write_inlined != nullptr)
        folder.write("exported/" + c.activation.name + ".inline" + extension, one.write_inlined(c.activation));
    }
  }
  run_script(python, "check_" + target, folder, least);
}

/// The same of a few formulas and tests/kernels/export/check_<target>_<what>.py: those whose slopes follow from x, from y, from betas, from
/// nothing.
void check_use(const std::string& target, const std::string& extension, const std::string& what, const std::string& modules, int least) {
  const std::string python = python_with(modules);
  if (python.empty()) {
    GTEST_SKIP() << "no Python here imports " << modules << " (scripts/setup.sh --with-torch, --with-newest-torch, --with-frameworks)";
  }
  const Folder folder;
  for (const auto& [name, formula] : kUsed) {
    const ExportedActivation activation(parse(formula), name, {});
    for (const ExportTarget& one : export_targets()) {
      if (one.name == target) folder.write(std::string("exported/") + name + extension, one.write(activation));
    }
  }
  run_script(python, "check_" + target + "_" + what, folder, least);
}

/// Writes the formulas of smooth_at_zero() for the target and runs tests/kernels/export/check_zero.py on them.
void check_zero(const std::string& target, const std::string& extension, const std::string& modules, int least) {
  const std::string python = python_with(modules);
  if (python.empty()) {
    GTEST_SKIP() << "no Python here imports " << modules << " (scripts/setup.sh --with-torch, --with-newest-torch, --with-frameworks)";
  }
  const Folder folder;
  Json list = Json::array();
  for (const SmoothAtZero& one : smooth_at_zero()) {
    const ExportedActivation activation(parse(one.formula), "zero" + std::to_string(list.size()), {});
    for (const ExportTarget& to : export_targets()) {
      if (to.name != target) continue;
      folder.write("exported/" + activation.name + extension, to.write(activation));
      if (to.write_inlined != nullptr) folder.write("exported/" + activation.name + ".inline" + extension, to.write_inlined(activation));
    }
    list.push_back({{"name", activation.name},
                    {"class", activation.class_name},
                    {"formula", one.formula},
                    {"y", one.y},
                    {"slope", one.slope},
                    {"curvature", std::isnan(one.curvature) ? Json() : Json(one.curvature)}});
  }
  folder.write("zero.json", list.dump());
  run_script(python, "check_zero", folder, least, target);
}

TEST(ExportedPytorch, AgreesWithTheReferenceInDebiansPytorch) { check("pytorch", ".py", kOlderTorch, 70'000); }
TEST(ExportedPytorch, AgreesWithTheReferenceInANewerPytorch) { check("pytorch", ".py", kNewerTorch, 70'000); }
TEST(ExportedPytorch, ServesNetworksInDebiansPytorch) { check_use("pytorch", ".py", "modules", kOlderTorch, 450); }
TEST(ExportedPytorch, ServesNetworksInANewerPytorch) { check_use("pytorch", ".py", "modules", kNewerTorch, 850); }
TEST(ExportedPytorch, HasTheDerivativesOfSmoothFunctionsAtZeroInDebiansPytorch) { check_zero("pytorch", ".py", kOlderTorch, 600); }
TEST(ExportedPytorch, HasTheDerivativesOfSmoothFunctionsAtZeroInANewerPytorch) { check_zero("pytorch", ".py", kNewerTorch, 650); }
TEST(ExportedJax, HasTheDerivativesOfSmoothFunctionsAtZero) { check_zero("jax", ".py", "jax", 400); }
TEST(ExportedKeras, HasTheDerivativesOfSmoothFunctionsAtZero) { check_zero("keras", ".py", "keras, jax", 100); }
TEST(ExportedOnnx, HasTheSlopesOfSmoothFunctionsAtZero) { check_zero("onnx", ".onnx", "onnxruntime", 80); }
TEST(ExportedJax, AgreesWithTheReference) { check("jax", ".py", "jax, flax", 33'000); }
TEST(ExportedKeras, AgreesWithTheReference) { check("keras", ".py", "keras, jax", 10'000); }
TEST(ExportedOnnx, AgreesWithTheReferenceInOnnxRuntime) { check("onnx", ".onnx", "onnxruntime", 16'000); }
TEST(ExportedSympy, AgreesWithTheReference) { check("sympy", ".py", "sympy", 3'000); }

/// The losses that examples/pytorch_resnet/train.py prints.
std::vector<double> losses_of(const std::string& python, const std::string& flags) {
  const Shell ran = shell(python + " " ACTSEARCH_SOURCE_DIR "/examples/pytorch_resnet/train.py " + flags);
  EXPECT_EQ(ran.code, 0) << ran.output;
  std::vector<double> losses;
  const std::string word = " loss ";
  for (std::size_t at = 0; (at = ran.output.find(word, at)) != std::string::npos; at += word.size()) {
    losses.push_back(std::stod(ran.output.substr(at + word.size(), 20)));
  }
  return losses;
}

TEST(PytorchResnetExample, LearnsItsNoiseByHeartWithTheExportedActivation) {
  const std::string python = python_with("torch");
  if (python.empty()) GTEST_SKIP() << "no Python here imports torch (scripts/setup.sh --with-torch)";
  const std::vector<double> swish = losses_of(python, "--steps 6 --batch 16");
  ASSERT_EQ(swish.size(), 6u);
  EXPECT_LT(swish.back(), 0.7 * swish.front());
  EXPECT_EQ(losses_of(python, "--steps 1 --batch 16 --relu").size(), 1u);
}

TEST(OwnTrainingExample, GoesOnWhereItPausedAndAnswersInJson) {
  const std::string python = python_with("torch");
  if (python.empty()) GTEST_SKIP() << "no Python here imports torch (scripts/setup.sh --with-torch)";
  const Folder folder;
  folder.write("the module/activation.py", written("pytorch", ExportedActivation(parse("x * sigmoid(beta * x)"), "activation", {})));
  folder.write("state/none", "");
  const std::string command = python + " " ACTSEARCH_SOURCE_DIR "/examples/own_training/train.py --module '" +
                              folder / "the module/activation.py" + "' --seed 3 --images 192 --width 8";
  const auto lines = [](const Shell& ran) {
    EXPECT_EQ(ran.code, 0) << ran.output;
    std::vector<Json> read;
    std::istringstream text(ran.output);
    for (std::string line; std::getline(text, line);) read.push_back(Json::parse(line));
    return read;
  };
  const auto whole = lines(shell(command + " --epochs 2"));
  ASSERT_EQ(whole.size(), 3u);
  EXPECT_EQ(whole[0].at("epoch"), 1);
  EXPECT_EQ(whole[2].at("score"), whole[1].at("accuracy"));
  const std::string state = " --state " + folder / "state";
  EXPECT_EQ(lines(shell(command + state + " --epochs 1")).front(), whole[0]);
  const auto rest = lines(shell(command + state + " --epochs 2"));
  ASSERT_EQ(rest.size(), 2u) << "the first epoch is not trained again";
  EXPECT_EQ(rest[0], whole[1]) << "paused or not, it is the same training";
}

TEST(PytorchResnetExample, HasTheActivationThatIsExportedToday) {
  std::ifstream file(ACTSEARCH_SOURCE_DIR "/examples/pytorch_resnet/swish.py");
  std::stringstream text;
  text << file.rdbuf();
  const auto without_header = [](const std::string& source) { return source.substr(std::min(source.find("\"\"\""), source.size())); };
  EXPECT_EQ(without_header(text.str()), without_header(written("pytorch", ExportedActivation(parse("swish"), "swish", {}))))
      << "write it anew, as examples/pytorch_resnet/README.md says";
}

}  // namespace
}  // namespace actsearch::testing
