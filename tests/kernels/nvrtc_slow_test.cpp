// Every operator and 500 random formulas through NVRTC, for three architectures.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "grammar/notation.h"
#include "grammar/space.h"
#include "kernels/cuda_source.h"
#include "kernels/nvrtc.h"
#include "tests/kernels/cuda_cases.h"

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

TEST(NvrtcSlow, CompilesEveryOperatorAndFiveHundredRandomFormulasForThreeArchitectures) {
  std::unique_ptr<Nvrtc> nvrtc;
  try {
    nvrtc = std::make_unique<Nvrtc>();
  } catch (const CudaMissing& missing) {
    GTEST_SKIP() << missing.what();
  }
  const std::vector<Job> all = jobs();
  const std::vector<std::string> architectures{"sm_80", "sm_90", "sm_100"};
  std::vector<std::vector<int>> registers(architectures.size());
  std::vector<std::vector<double>> milliseconds(architectures.size());
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < all.size() * architectures.size(); i = next++) {
      const Job& job = all[i / architectures.size()];
      const std::size_t a = i % architectures.size();
      const std::string where = to_text(job.formula) + " for " + architectures[a];
      std::string log;
      const auto start = std::chrono::steady_clock::now();
      try {
        log = nvrtc->compile(cuda_source(lower(job.formula), job.storage, job.width), architectures[a]).log;
      } catch (const std::exception& error) {
        ADD_FAILURE() << where << ": " << error.what();
        continue;
      }
      const double elapsed = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      EXPECT_EQ(log.find("warning"), std::string::npos) << where << ": " << log;
      if (job.common) {
        EXPECT_EQ(largest(log, R"((\d+) bytes stack frame)"), 0) << where;
        EXPECT_EQ(largest(log, R"((\d+) bytes spill)"), 0) << where;
      }
      const std::lock_guard lock(mutex);
      registers[a].push_back(largest(log, R"(Used (\d+) registers)"));
      milliseconds[a].push_back(elapsed);
    }
  };
  std::vector<std::jthread> workers;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) workers.emplace_back(work);
  workers.clear();
  std::printf("NVRTC %s, %zu formulas, three kernels each\narchitecture  registers: median  largest  milliseconds: median  largest\n",
              nvrtc->version().c_str(), all.size());
  for (std::size_t a = 0; a < architectures.size(); ++a) {
    std::sort(registers[a].begin(), registers[a].end());
    std::sort(milliseconds[a].begin(), milliseconds[a].end());
    ASSERT_EQ(registers[a].size(), all.size());
    std::printf("%-12s  %17d  %7d  %20.0f  %7.0f\n", architectures[a].c_str(), registers[a][all.size() / 2], registers[a].back(),
                milliseconds[a][all.size() / 2], milliseconds[a].back());
  }
}

}  // namespace
}  // namespace actsearch
