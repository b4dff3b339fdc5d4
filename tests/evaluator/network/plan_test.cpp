#include "evaluator/network/plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <stdexcept>

#include "evaluator/network/recipe.h"

namespace actsearch {
namespace {

Plan plan_of(const Network& network, int activation_parameters = 1) {
  Parameters parameters(Parameters::Kept::kSizes);
  return plan(network, activation_parameters, parameters);
}

Layer layer_of(LayerKind kind, int channels = 0, int kernel = 0, int stride = 1, int padding = 0) {
  Layer layer;
  layer.kind = kind;
  layer.channels = channels;
  layer.kernel = kernel;
  layer.stride = stride;
  layer.padding = padding;
  return layer;
}

/// A convolution of 8 channels, activation, flatten, dense; on images of 8×8.
Network smallest() {
  Network network;
  network.image_side = 8;
  network.layers = {layer_of(LayerKind::kConvolution, 8, 3, 1, 1), layer_of(LayerKind::kActivation), layer_of(LayerKind::kFlatten),
                    layer_of(LayerKind::kDense)};
  return network;
}

TEST(Plan, OfAVggJoinsBatchNormAndActivation) {
  const Plan made = plan_of(find_recipe("vgg-s").network);
  std::vector<StepKind> kinds;
  for (const Step& step : made.steps) kinds.push_back(step.kind);
  using K = StepKind;
  EXPECT_EQ(kinds, (std::vector<K>{K::kConvolution, K::kElementwise, K::kConvolution, K::kElementwise, K::kMaxPool, K::kConvolution,
                                   K::kElementwise, K::kConvolution, K::kElementwise, K::kMaxPool, K::kConvolution, K::kElementwise,
                                   K::kConvolution, K::kElementwise, K::kMaxPool, K::kFlatten, K::kDense}));
  EXPECT_TRUE(made.steps[1].normalised && made.steps[1].activated);
  EXPECT_EQ(made.norms, 6);
  EXPECT_EQ(made.gradient_elements.size(), 2u) << "a chain needs two buffers that take turns";
}

TEST(Plan, OfAResidualNetworkHasTheShapesOfThePaper) {
  const Network network = resnet(3);
  Parameters parameters(Parameters::Kept::kSizes);
  const Plan made = plan(network, 0, parameters);
  // 0.27 million (He et al., table 6), and the two projections with their batch norms.
  EXPECT_EQ(parameter_count(network), 269'722 + 16 * 32 + 32 * 64 + 2 * (32 + 64));
  int adds = 0, convolutions = 0;
  for (const Step& step : made.steps) {
    adds += step.kind == StepKind::kAdd;
    convolutions += step.kind == StepKind::kConvolution;
  }
  EXPECT_EQ(adds, 9);
  EXPECT_EQ(convolutions, 19 + 2);
  EXPECT_EQ(made.shape(made.steps.back().x), (TensorShape{64, 1}));
}

/// While a tensor is wanted nothing else is written to its slot, forwards or backwards.
TEST(Plan, TensorsThatShareASlotAreNeverWantedTogether) {
  for (const Recipe& recipe : recipes()) {
    const Plan made = plan_of(recipe.network);
    std::vector<int> holds(made.slot_elements.size(), -1);
    const auto at = [&](int tensor) {
      while (made.slot(tensor) < 0 && tensor != 0) {
        for (const Step& step : made.steps) {
          if (step.y == tensor) {
            tensor = step.x;
            break;
          }
        }
      }
      return tensor;
    };
    const auto expect_held = [&](int tensor, const char* when) {
      const int kept = at(tensor);
      if (kept == 0) return;
      ASSERT_EQ(holds[static_cast<std::size_t>(made.slot(kept))], kept) << recipe.name << ", " << when;
    };
    for (const Step& step : made.steps) {
      expect_held(step.x, "forwards");
      if (step.other >= 0) expect_held(step.other, "forwards");
      if (made.slot(step.y) >= 0) {
        ASSERT_GE(made.slot_elements[static_cast<std::size_t>(made.slot(step.y))], made.shape(step.y).elements());
        holds[static_cast<std::size_t>(made.slot(step.y))] = step.y;
      }
    }
    for (const BackwardStep& back : made.backward) {
      const Step& step = made.steps[back.step];
      if (step.kind == StepKind::kConvolution || step.kind == StepKind::kDense || step.kind == StepKind::kElementwise ||
          step.kind == StepKind::kMaxPool) {
        expect_held(step.x, "backwards");
      }
      if (step.kind == StepKind::kMaxPool) expect_held(step.y, "backwards");
    }
  }
}

/// The sum over all paths: with every step as the factor 1, a tensor's gradient is the number of ways from it to the logits.
TEST(Plan, GradientsReachEveryTensorOnEveryPath) {
  for (const Recipe& recipe : recipes()) {
    const Plan made = plan_of(recipe.network);
    std::vector<double> ways(made.tensors.size(), 0), buffers(made.gradient_elements.size(), 0);
    ways[static_cast<std::size_t>(made.steps.back().y)] = 1;
    for (std::size_t i = made.steps.size(); i-- > 0;) {
      const Step& step = made.steps[i];
      for (const int read : {step.x, step.other}) {
        if (read >= 0) ways[static_cast<std::size_t>(read)] += ways[static_cast<std::size_t>(step.y)];
      }
    }
    for (const BackwardStep& back : made.backward) {
      const Step& step = made.steps[back.step];
      const auto buffer = [&](int number) -> double& { return buffers[static_cast<std::size_t>(number)]; };
      const double incoming = back.incoming < 0 ? 1 : buffer(back.incoming);
      ASSERT_EQ(incoming, ways[static_cast<std::size_t>(step.y)]) << recipe.name << ", step " << back.step;
      if (back.other >= 0) buffer(back.other) = incoming + (back.other_adds ? buffer(back.other) : 0);
      if (back.outgoing >= 0) buffer(back.outgoing) = incoming;
      if (back.sum >= 0) buffer(back.sum) += buffer(back.outgoing);
    }
  }
}

struct Refusal {
  const char* what;
  std::function<void(Network&)> spoil;
  const char* message;  ///< a part of it
};

TEST(Plan, RefusesWhatDoesNotFitAndNamesTheLayer) {
  const std::vector<Refusal> refusals{
      {"nothing", [](Network& n) { n.layers.clear(); }, "no layers"},
      {"no activation", [](Network& n) { n.layers.erase(n.layers.begin() + 1); }, "no activation"},
      {"an unknown name", [](Network& n) { n.layers[1].inputs = {"x"}; }, "layer 2 (activation) reads \"x\", and no layer has that name"},
      {"a cycle", [](Network& n) { n.layers[2].name = "later", n.layers[1].inputs = {"later"}; }, "no cycles"},
      {"itself", [](Network& n) { n.layers[1].name = "me", n.layers[1].inputs = {"me"}; }, "no cycles"},
      {"a name twice", [](Network& n) { n.layers[0].name = n.layers[1].name = "a"; },
       "layer 2 (activation \"a\") has the name of an earlier layer"},
      {"the image's name", [](Network& n) { n.layers[0].name = "image"; }, "takes the name \"image\""},
      {"an unused layer",
       [](Network& n) {
         n.layers[0].name = "a";
         Layer again = layer_of(LayerKind::kConvolution, 8, 3, 1, 1);
         n.layers.insert(n.layers.begin() + 1, again);
         n.layers[2].inputs = {"a"};
       },
       "layer 2 (convolution) makes a tensor that no layer reads"},
      {"the image twice",
       [](Network& n) {
         Layer again = layer_of(LayerKind::kConvolution, 8, 3, 1, 1);
         again.inputs = {"image"};
         n.layers.insert(n.layers.begin() + 1, again);
       },
       "reads the image, which another layer reads already"},
      {"a first layer that is no convolution", [](Network& n) { n.layers.erase(n.layers.begin()); }, "only a convolution may"},
      {"a pool that does not divide", [](Network& n) { n.layers.insert(n.layers.begin() + 2, layer_of(LayerKind::kMaxPool, 0, 3, 3)); },
       "layer 3 (max_pool) does not divide its input"},
      {"a kernel too large", [](Network& n) { n.layers[0].kernel = 11, n.layers[0].padding = 0; }, "larger than its input of 8×8"},
      {"a padding too large", [](Network& n) { n.layers[0].padding = 3; }, "padding of 3"},
      {"no stride", [](Network& n) { n.layers[0].stride = 0; }, "stride of 1 or more"},
      {"groups", [](Network& n) { n.layers[0].groups = 2; }, "2 groups, which do not divide its channels, 3 and 8"},
      {"no channels", [](Network& n) { n.layers[0].channels = 0; }, "channels of 1 or more"},
      {"a dense layer on an image", [](Network& n) { n.layers.erase(n.layers.begin() + 2); },
       "put flatten or global_average_pool before it"},
      {"the wrong end", [](Network& n) { n.layers.pop_back(); }, "is the last, which has to be a dense layer"},
      {"the wrong classes", [](Network& n) { n.layers.back().channels = 11; }, "11 units for 10 classes"},
      {"an add of one", [](Network& n) { n.layers.insert(n.layers.begin() + 1, layer_of(LayerKind::kAdd)); },
       "reads 1 tensor, where it takes 2"},
      {"an add of different shapes",
       [](Network& n) {
         n.layers[0].name = "a";
         n.layers.insert(n.layers.begin() + 1, layer_of(LayerKind::kConvolution, 4, 1));
         Layer sum = layer_of(LayerKind::kAdd);
         sum.inputs = {"a", "b"};
         n.layers[1].name = "b";
         n.layers.insert(n.layers.begin() + 2, sum);
       },
       "different shapes, 8×8×8 and 8×8×4"},
      {"a dropout of an image twice read", [](Network& n) { n.layers.insert(n.layers.begin() + 1, layer_of(LayerKind::kDropout)); },
       "has to follow an activation"},
      {"a probability of 1",
       [](Network& n) {
         n.layers.insert(n.layers.begin() + 2, layer_of(LayerKind::kDropout));
         n.layers[2].probability = 1;
       },
       "probability"},
  };
  EXPECT_NO_THROW(plan_of(smallest()));
  for (const Refusal& refusal : refusals) {
    Network network = smallest();
    refusal.spoil(network);
    try {
      plan_of(network);
      ADD_FAILURE() << refusal.what << " is taken";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(refusal.message), std::string::npos) << refusal.what << ": " << error.what();
    }
  }
}

TEST(LayerKinds, HaveWordsThatReadBack) {
  for (const LayerKind kind : {LayerKind::kConvolution, LayerKind::kGlobalAveragePool, LayerKind::kDropout})
    EXPECT_EQ(layer_kind(to_text(kind)), kind);
  EXPECT_THROW(layer_kind("conv"), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
