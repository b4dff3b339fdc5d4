// The network's own CUDA kernels through NVRTC, which needs no GPU.

#include <gtest/gtest.h>

#include <regex>
#include <tuple>

#include "evaluator/cuda/network.h"
#include "kernels/cuda/nvrtc.h"

namespace actsearch {
namespace {

TEST(CudaLayers, CompileForAllArchitecturesWithoutWarningsStackOrSpills) {
  std::unique_ptr<Nvrtc> nvrtc;
  try {
    nvrtc = std::make_unique<Nvrtc>();
  } catch (const CudaMissing& missing) {
    GTEST_SKIP() << missing.what();
  }
  for (const char* const architecture : {"sm_80", "sm_90", "sm_100"}) {
    // CIFAR-10's shape, and the most classes of either kind of cross_entropy.
    for (const auto& [storage, channels, classes] :
         {std::tuple(Storage::kBf16, 3, 10), {Storage::kFp32, 3, 10}, {Storage::kBf16, 1, 16}, {Storage::kFp32, 3, 1'000}}) {
      const ImageShape shape{.channels = channels, .side = 32, .classes = classes, .mean = {}, .deviation = {}};
      const Nvrtc::Compiled compiled = nvrtc->compile(cuda_layers_source(storage, shape), architecture);
      EXPECT_GT(compiled.cubin.size(), 1'000u);
      EXPECT_EQ(compiled.log.find("warning"), std::string::npos) << compiled.log;
      static const std::regex used("([1-9][0-9]*) bytes (stack frame|spill stores|spill loads)");
      std::smatch match;
      EXPECT_FALSE(std::regex_search(compiled.log, match, used)) << architecture << ": " << match.str() << "\n" << compiled.log;
    }
  }
}

}  // namespace
}  // namespace actsearch
