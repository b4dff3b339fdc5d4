// Networks beside PyTorch: the same weights, images and labels, ten steps in fp32, loss by loss.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "evaluator/cpu/descend.h"
#include "evaluator/cpu/model.h"
#include "evaluator/data/dataset.h"
#include "evaluator/data/random.h"
#include "evaluator/network/recipe_file.h"
#include "grammar/notation.h"
#include "tests/evaluator/network/networks.h"
#include "tests/kernels/export/python.h"

namespace actsearch {
namespace {

constexpr int kBatch = 16, kSteps = 10;
constexpr double kRate = 0.02, kMomentum = 0.9, kDecay = 5e-4;

const char* word(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::kWeight:
      return "weight";
    case ParameterKind::kBias:
      return "bias";
    case ParameterKind::kConvolutionBias:
      return "convolution_bias";
    case ParameterKind::kNormScale:
      return "norm_scale";
    case ParameterKind::kNormShift:
      return "norm_shift";
    case ParameterKind::kBeta:
      return "beta";
  }
  return "";
}

void write_floats(const testing::Folder& folder, const std::string& name, const float* values, std::size_t count) {
  std::ofstream file(folder / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(float)));
}

/// Trains here, and writes what PyTorch needs to do the same.
void write_case(const testing::Folder& folder, const std::string& name, const Network& network) {
  const EigenKernel kernel(lower(parse("x * sigmoid(beta * x)")));
  Model model(network, kernel, kBatch, Precision::kFp32, 1, 7);
  RandomStream random(2);
  const std::size_t pixels = kBatch * kCifar10Shape.bytes();
  auto* const images = static_cast<float*>(model.images());
  for (std::size_t i = 0; i < pixels; ++i) images[i] = static_cast<float>(random.normal());
  std::vector<Label> labels(kBatch);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<Label>(i * 7 % 10);
  folder.write(name + "/values.bin", "");
  write_floats(folder, name + "/values.bin", model.parameters().value(0), model.parameters().values().size());
  write_floats(folder, name + "/images.bin", images, pixels);
  nlohmann::json segments = nlohmann::json::array(), losses = nlohmann::json::array();
  for (const ParameterSegment& segment : model.parameters().segments())
    segments.push_back({word(segment.kind), segment.offset, segment.size});
  for (int step = 0; step < kSteps; ++step) {
    losses.push_back(model.train(labels, 0).loss_sum / kBatch);
    descend(model.parameters(), kRate, kMomentum, kDecay, false, 1);
  }
  Recipe recipe;
  recipe.name = name;
  recipe.network = network;
  folder.write(name + "/case.json", nlohmann::json{{"recipe", nlohmann::json::parse(recipe_file(recipe))},
                                                   {"segments", segments},
                                                   {"labels", labels},
                                                   {"losses", losses},
                                                   {"rate", kRate},
                                                   {"momentum", kMomentum},
                                                   {"decay", kDecay}}
                                        .dump());
}

TEST(NetworksInPytorch, LoseTheSameForTenSteps) {
  const std::string python = testing::python_with("torch, numpy");
  if (python.empty()) GTEST_SKIP() << "no Python here imports torch and numpy (scripts/setup.sh --with-torch)";
  const testing::Folder folder;
  write_case(folder, "every_kind", testing::every_kind_of_layer());
  write_case(folder, "vgg", find_recipe("vgg-s").network);
  write_case(folder, "resnet20", resnet(3));
  write_case(folder, "resnet56", resnet(9));
  write_case(folder, "wrn-10-2", wide_resnet(1, 2));
  const testing::Shell ran =
      testing::shell(python + " -W ignore " ACTSEARCH_SOURCE_DIR "/tests/evaluator/cpu/check_networks.py " + (folder / ""));
  EXPECT_EQ(ran.code, 0) << ran.output.substr(0, 6000);
  EXPECT_NE(ran.output.find("compared 50"), std::string::npos) << ran.output.substr(0, 6000);
}

}  // namespace
}  // namespace actsearch
