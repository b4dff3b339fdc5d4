// The command line on CUDA devices, those of tests/cuda_simulator: what a person sees with one, with two, without one, and when one is
// lost.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/search/process.h"

namespace actsearch::testing {
namespace {

/// An environment variable for the processes started while it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_.empty() ? unsetenv(name_) : setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

class CudaCommandLine : public ::testing::Test {
 protected:
  /// A search of so many short trials; one step each.
  Ran search(const std::string& trials, const std::string& device, const std::string& jobs = "1") const {
    return run_program(directory_.path(), {"search",
                                           "--db",
                                           (directory_.path() / "s.db").string(),
                                           "--data",
                                           "synthetic:160",
                                           "--recipe",
                                           "vgg-s",
                                           "--epochs",
                                           "1",
                                           "--unary",
                                           "identity,tanh,relu",
                                           "--binary",
                                           "add,mul",
                                           "--budget-trials",
                                           trials,
                                           "--device",
                                           device,
                                           "--jobs",
                                           jobs,
                                           "--deterministic"});
  }
  /// Trials of each status, "done 2, failed 1".
  std::string statuses() const {
    const Ran ran = run_program(directory_.path(), {"query", "--db", (directory_.path() / "s.db").string(), "--format", "csv",
                                                    "SELECT status, count(*) FROM trials GROUP BY status ORDER BY status"});
    return ran.out;
  }
  TemporaryDirectory directory_;
};

TEST_F(CudaCommandLine, TrainsOnADeviceAndSaysWhich) {
  const Ran ran = search("2", "auto");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("device: simulated device 0"), std::string::npos) << ran.err;
  EXPECT_EQ(statuses(), "status,count(*)\ndone,2\n");
}

TEST_F(CudaCommandLine, SharesTheWorkAmongAllDevices) {
  const Variable two("ACTSEARCH_SIMULATOR_DEVICES", "2");
  const Ran ran = search("3", "all");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("simulated device 0 + simulated device 1"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("2 jobs"), std::string::npos) << ran.err;
  EXPECT_EQ(statuses(), "status,count(*)\ndone,3\n");
}

TEST_F(CudaCommandLine, WithoutADeviceAutoTakesTheCpuAndCudaNamesWhatIsMissing) {
  const Variable none("ACTSEARCH_SIMULATOR_DEVICES", "0");
  const Ran cuda = search("1", "cuda");
  EXPECT_EQ(cuda.code, 1);
  EXPECT_NE(cuda.err.find("finds no GPU"), std::string::npos) << cuda.err;
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "s.db")) << "nothing was begun";
  const Ran automatic = search("1", "auto");
  EXPECT_EQ(automatic.code, 0) << automatic.err;
  EXPECT_NE(automatic.err.find("device: the CPU"), std::string::npos) << automatic.err;
  EXPECT_NE(automatic.err.find("finds no GPU"), std::string::npos) << automatic.err;
}

TEST_F(CudaCommandLine, AutoPassesABusyDeviceByAndCudaSaysThatItIsBusy) {
  const Variable busy("ACTSEARCH_SIMULATOR_LOST_AFTER", "0"), which("ACTSEARCH_SIMULATOR_LOST_DEVICE", "0");
  const Ran cuda = search("1", "cuda");
  EXPECT_EQ(cuda.code, 1);
  EXPECT_NE(cuda.err.find("is busy or gone: another process may have it for itself"), std::string::npos) << cuda.err;
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "s.db")) << "nothing was begun";
  const Ran alone = search("1", "auto");
  EXPECT_EQ(alone.code, 0) << alone.err;
  EXPECT_NE(alone.err.find("device: the CPU"), std::string::npos) << alone.err;
  EXPECT_NE(alone.err.find("is busy or gone"), std::string::npos) << alone.err;
  const Variable two("ACTSEARCH_SIMULATOR_DEVICES", "2");
  const Ran other = search("1", "auto");
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.err.find("device: simulated device 1"), std::string::npos) << other.err;
}

TEST_F(CudaCommandLine, ADriverThatIsOlderThanNvrtcIsNamed) {
  const Variable old("ACTSEARCH_SIMULATOR_DRIVER", "12080");
  const Ran ran = search("1", "cuda");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("the NVIDIA driver runs programs of CUDA 12.8 and NVRTC is of CUDA 99"), std::string::npos) << ran.err;
}

TEST_F(CudaCommandLine, NamesTheLibraryThatDoesNotLoad) {
  for (const auto& [file, name] : {std::pair("libcuda.so.1", "the NVIDIA driver"), std::pair("libcudnn.so.9", "cuDNN 9")}) {
    const TemporaryDirectory broken;
    std::ofstream(broken.path() / file) << "no library";
    const Variable first("LD_LIBRARY_PATH", broken.path().string() + ":" + std::getenv("LD_LIBRARY_PATH"));
    const Ran ran = search("1", "cuda");
    EXPECT_EQ(ran.code, 1) << file;
    EXPECT_NE(ran.err.find(std::string(name) + " is missing: tried " + file), std::string::npos) << ran.err;
  }
}

TEST_F(CudaCommandLine, ADeviceThatIsNotThereIsAMistake) {
  const Ran ran = search("1", "cuda:5");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("no CUDA device 5"), std::string::npos) << ran.err;
  const Ran wrong = search("1", "gpu");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("cuda:N"), std::string::npos) << wrong.err;
}

TEST_F(CudaCommandLine, ALostDeviceEndsTheRunAndTheSameCommandGoesOn) {
  {
    const Variable lost("ACTSEARCH_SIMULATOR_LOST_AFTER", "8");  // in the second trial or the third
    const Ran ran = search("4", "cuda");
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.err.find("actsearch: CUDA: "), std::string::npos) << ran.err;
    EXPECT_EQ(statuses().find("running"), std::string::npos) << "what was in progress is given back: " << statuses();
  }
  const std::string before = statuses();
  const Ran again = search("4", "cuda");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(statuses(), before);
  EXPECT_EQ(statuses().find("released"), std::string::npos) << statuses();
}

}  // namespace
}  // namespace actsearch::testing
