// The real cuDNN, told that it stands before an H200 (tests/cuda_simulator/deviceless_cudnn.cpp), has an engine for every convolution of
// every recipe: what is asked of it is accepted, without a GPU.

#include <gtest/gtest.h>

#include "evaluator/cuda/cudnn.h"
#include "evaluator/data/dataset.h"
#include "evaluator/network/plan.h"
#include "evaluator/network/recipe.h"

namespace actsearch {
namespace {

TEST(CudnnEngines, ThereIsOneForEveryConvolutionOfEveryRecipe) {
  const CudaDevice device(0);
  device.make_current();
  CudaStream stream;
  Cudnn cudnn(stream);
  EngineChoices choices(true);
  int convolutions = 0;
  for (const Recipe& recipe : recipes()) {
    Parameters parameters(Parameters::Kept::kSizes);
    const Plan steps = plan(recipe.network, 0, parameters);
    for (const Step& step : steps.steps) {
      if (step.kind != StepKind::kConvolution) continue;
      for (const Storage storage : {Storage::kBf16, Storage::kFp32}) {
        for (const int batch : {recipe.batch, 512}) {
          const CudaConvolutionShape shape{batch,
                                           steps.shape(step.x).channels,
                                           steps.shape(step.y).channels,
                                           steps.shape(step.x).side,
                                           storage,
                                           step.kernel,
                                           step.stride,
                                           step.padding,
                                           step.groups};
          for (const ConvolutionPass pass :
               {ConvolutionPass::kForward, ConvolutionPass::kInputGradient, ConvolutionPass::kWeightGradient}) {
            const CudnnConvolution convolution(cudnn, pass, shape, choices);
            EXPECT_LE(convolution.workspace_bytes(), std::size_t{256} << 20);
            ++convolutions;
          }
        }
      }
    }
  }
  EXPECT_GT(convolutions, 500);
}

}  // namespace
}  // namespace actsearch
