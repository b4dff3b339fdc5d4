// Every operator and 500 random formulas through NVRTC, for three architectures.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <tuple>
#include <vector>

#include "grammar/notation.h"
#include "grammar/space.h"
#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/source.h"
#include "tests/kernels/cuda/cases.h"

namespace actsearch {
namespace {

struct Job {
  Expression formula;
  Storage storage;
  int width;
  bool common;  ///< an operator or a named function: no local memory is allowed
};

std::vector<Job> jobs() {
  std::vector<Job> all;
  for (const OperatorInfo& activation : activations()) {
    all.push_back({parse(std::string(activation.name)), Storage::kBf16, 8, true});
  }
  for (const testing::CudaCase& c : testing::cuda_cases()) all.push_back({c.formula, c.storage, c.width, false});
  std::mt19937_64 random(500);
  const Space one("core1"), two("core2");
  for (int i = 0; i < 350; ++i) all.push_back({one.at(random() % one.size()), Storage::kBf16, 8, true});
  for (int i = 0; i < 150; ++i) all.push_back({two.at(random() % two.size()), Storage::kBf16, 8, false});
  return all;
}

/// The largest number that follows the words in the log.
int largest(const std::string& log, const std::string& pattern) {
  const std::regex expression(pattern);
  int most = 0;
  for (std::sregex_iterator it(log.begin(), log.end(), expression), end; it != end; ++it) most = std::max(most, std::stoi((*it)[1]));
  return most;
}

/// Of each architecture a part of the formulas: so CTest shares the work out over the processor's cores, and no part is long.
constexpr std::size_t kParts = 4;
class NvrtcSlow : public ::testing::TestWithParam<std::tuple<std::string, std::size_t>> {};

TEST_P(NvrtcSlow, CompilesEveryOperatorAndFiveHundredRandomFormulas) {
  std::unique_ptr<Nvrtc> nvrtc;
  try {
    nvrtc = std::make_unique<Nvrtc>();
  } catch (const CudaMissing& missing) {
    GTEST_SKIP() << missing.what();
  }
  const auto& [architecture, part] = GetParam();
  const std::vector<Job> all = jobs();
  std::vector<int> registers;
  std::vector<double> milliseconds;
  for (std::size_t i = part; i < all.size(); i += kParts) {
    const Job& job = all[i];
    const std::string where = to_text(job.formula) + " for " + architecture;
    std::string log;
    const auto start = std::chrono::steady_clock::now();
    try {
      log = nvrtc->compile(cuda_source(lower(job.formula), job.storage, job.width), architecture).log;
    } catch (const std::exception& error) {
      ADD_FAILURE() << where << ": " << error.what();
      continue;
    }
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    EXPECT_EQ(log.find("warning"), std::string::npos) << where << ": " << log;
    if (job.common) {
      EXPECT_EQ(largest(log, R"((\d+) bytes stack frame)"), 0) << where;
      EXPECT_EQ(largest(log, R"((\d+) bytes spill)"), 0) << where;
    }
    registers.push_back(largest(log, R"(Used (\d+) registers)"));
  }
  ASSERT_FALSE(registers.empty());
  std::sort(registers.begin(), registers.end());
  std::sort(milliseconds.begin(), milliseconds.end());
  std::printf("NVRTC %s, %s, %zu formulas, three kernels each: registers: median %d, largest %d; milliseconds: median %.0f, largest %.0f\n",
              nvrtc->version().c_str(), architecture.c_str(), registers.size(), registers[registers.size() / 2], registers.back(),
              milliseconds[milliseconds.size() / 2], milliseconds.back());
}

INSTANTIATE_TEST_SUITE_P(Architectures, NvrtcSlow,
                         ::testing::Combine(::testing::Values<std::string>("sm_80", "sm_90", "sm_100"),
                                            ::testing::Range<std::size_t>(0, kParts)),
                         [](const auto& test) { return std::get<0>(test.param) + "_part_" + std::to_string(std::get<1>(test.param)); });

}  // namespace
}  // namespace actsearch
