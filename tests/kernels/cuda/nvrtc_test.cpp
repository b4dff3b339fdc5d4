#include "kernels/cuda/nvrtc.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "grammar/notation.h"
#include "kernels/cuda/cubin_cache.h"
#include "kernels/cuda/source.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

std::string source_of(const char* formula) { return cuda_source(lower(parse(formula)), Storage::kBf16, 8); }

/// Without the compiler these tests have nothing to test.
class NvrtcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      nvrtc_ = std::make_unique<Nvrtc>();
    } catch (const CudaMissing& missing) {
      GTEST_SKIP() << missing.what();
    }
    folder_ = fs::temp_directory_path() /
              ("actsearch-cubin-" + std::to_string(getpid()) + "-" + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<fs::path> files(const std::string& extension) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  }

  std::unique_ptr<Nvrtc> nvrtc_;
  fs::path folder_;
};

TEST_F(NvrtcTest, StraightLineTextCompilesWithOptionsOfItsOwn) {
  const std::string source = source_of("swish");
  ASSERT_TRUE(source.starts_with(Nvrtc::kStraightLine));
  const auto quick = nvrtc_->compile(source, "sm_90"), usual = nvrtc_->compile("// any\n" + source, "sm_90");
  EXPECT_TRUE(quick.cubin != usual.cubin || nvrtc_->major_version() < 13);
  EXPECT_NE(quick.log.find("0 bytes stack frame, 0 bytes spill stores"), std::string::npos) << quick.log;
}

TEST(Nvrtc, AMissingLibraryIsNamed) {
  try {
    const Nvrtc nvrtc("libno-such-compiler.so.1");
    FAIL() << "it was found";
  } catch (const CudaMissing& missing) {
    EXPECT_NE(std::string(missing.what()).find("libno-such-compiler.so.1"), std::string::npos);
  }
}

TEST(Nvrtc, ALibraryOfAnotherKindIsRefused) { EXPECT_THROW(Nvrtc("libm.so.6"), CudaMissing); }

TEST_F(NvrtcTest, CompilesTheKernelsToACubinAndReportsRegisters) {
  EXPECT_GE(std::stod(nvrtc_->version()), 12.0);
  const Nvrtc::Compiled compiled = nvrtc_->compile(source_of("swish"), "sm_90");
  EXPECT_EQ(compiled.cubin.substr(0, 4), "\177ELF");
  for (const char* const kernel : {"activation_forward", "activation_sums", "activation_apply"}) {
    EXPECT_NE(compiled.cubin.find(kernel), std::string::npos) << kernel;
    EXPECT_NE(compiled.log.find(std::string("'") + kernel + "'"), std::string::npos) << compiled.log;
  }
}

TEST_F(NvrtcTest, AnErrorIsTheWholeLog) {
  try {
    nvrtc_->compile(source_of("relu") + "\nint broken = no_such_name;\nint worse = nor_this;\n", "sm_90");
    FAIL() << "it compiled";
  } catch (const CudaCompileError& error) {
    EXPECT_NE(std::string(error.what()).find("no_such_name"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("nor_this"), std::string::npos);
  }
}

TEST_F(NvrtcTest, AnUnknownArchitectureIsAnErrorThatIsNotTheSources) {
  try {
    nvrtc_->compile(source_of("relu"), "sm_1");
    FAIL() << "it compiled";
  } catch (const CudaCompileError&) {
    FAIL() << "the source was blamed";
  } catch (const std::runtime_error&) {
  }
}

TEST_F(NvrtcTest, ACubinIsCompiledOnceForAnArchitecture) {
  const CubinCache cache(folder_);
  const std::string source = source_of("relu");
  const auto first = cache.get(*nvrtc_, source, "sm_90");
  EXPECT_TRUE(first.compiled);
  const auto second = CubinCache(folder_).get(*nvrtc_, source, "sm_90");
  EXPECT_FALSE(second.compiled);
  EXPECT_EQ(second.cubin, first.cubin);
  EXPECT_TRUE(cache.get(*nvrtc_, source, "sm_80").compiled);
  EXPECT_TRUE(cache.get(*nvrtc_, source_of("tanh"), "sm_90").compiled);
  EXPECT_EQ(files(".cubin").size(), 3u);
  std::ifstream text(files(".cu").front());
  const std::string kept((std::istreambuf_iterator<char>(text)), std::istreambuf_iterator<char>());
  EXPECT_NE(kept.find("activation_forward"), std::string::npos);
}

TEST_F(NvrtcTest, ADamagedEntryIsCompiledAgainAndReplaced) {
  const CubinCache cache(folder_);
  const std::string source = source_of("relu");
  const std::string good = cache.get(*nvrtc_, source, "sm_90").cubin;
  const fs::path cubin = files(".cubin").front(), text = files(".cu").front();
  const auto expect_repair = [&](const char* damage) {
    const auto again = cache.get(*nvrtc_, source, "sm_90");
    EXPECT_TRUE(again.compiled) << damage;
    EXPECT_EQ(again.cubin, good) << damage;
    EXPECT_FALSE(cache.get(*nvrtc_, source, "sm_90").compiled) << damage;
  };
  fs::resize_file(cubin, fs::file_size(cubin) / 2);
  expect_repair("cut");
  fs::resize_file(cubin, 0);
  expect_repair("empty");
  {
    std::fstream file(cubin, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000);
    file.put('\x55');
  }
  expect_repair("one byte changed");
  std::ofstream(text, std::ios::app) << "// another formula with the same key\n";
  expect_repair("the source of another");
  fs::remove(text);
  expect_repair("no source");
}

/// The cache without a compiler: files as it writes them, used so many hours ago.
class CubinFolder : public ::testing::Test {
 protected:
  CubinFolder() : folder_(fs::temp_directory_path() / ("actsearch-cubin-folder-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~CubinFolder() override { fs::remove_all(folder_); }
  void entry(const std::string& key, int binary_hours, int source_hours) const {
    for (const auto& [name, hours] : {std::pair(key + ".cubin", binary_hours), std::pair(key + ".cu", source_hours)}) {
      std::ofstream(folder_ / name) << std::string(1'000, 'x');
      fs::last_write_time(folder_ / name, fs::file_time_type::clock::now() - std::chrono::hours(hours));
    }
  }
  bool has(const std::string& name) const { return fs::exists(folder_ / name); }
  fs::path folder_;
};

TEST_F(CubinFolder, IsBoundedAndKeepsWhatWasUsedLast) {
  entry("ancient", 99, 99);
  entry("old", 9, 9);
  entry("used", 1, 90);  // compiled long ago
  entry("middle", 5, 5);
  entry("new", 0, 0);
  CubinCache(folder_, 10'000).prune();
  EXPECT_TRUE(has("ancient.cubin")) << "there is room for all";
  CubinCache(folder_, 9'999).prune();
  for (const char* name : {"used.cu", "used.cubin", "new.cu", "new.cubin"}) EXPECT_TRUE(has(name)) << name;
  for (const char* name : {"ancient.cu", "ancient.cubin", "old.cu", "old.cubin", "middle.cu"}) EXPECT_FALSE(has(name)) << name;
  EXPECT_FALSE(has("middle.cubin"));
}

TEST_F(NvrtcTest, TwoProcessesShareAFolder) {
  fs::create_directories(folder_);
  const std::vector<const char*> formulas{"relu", "swish", "tanh", "gelu"};
  std::vector<pid_t> children;
  for (int child = 0; child < 2; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      int failures = 0;
      try {
        const CubinCache cache(folder_);
        for (const char* const formula : formulas) {
          if (cache.get(*nvrtc_, source_of(formula), "sm_90").cubin.substr(0, 4) != "\177ELF") ++failures;
        }
      } catch (...) {
        ++failures;
      }
      _exit(failures);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const CubinCache cache(folder_);
  for (const char* const formula : formulas) EXPECT_FALSE(cache.get(*nvrtc_, source_of(formula), "sm_90").compiled) << formula;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const auto extension = entry.path().extension();
    EXPECT_TRUE(extension == ".cu" || extension == ".cubin") << entry.path();  // nothing half-written is left
  }
}

TEST_F(NvrtcTest, AFolderThatCannotBeIsAnErrorAndOneThatCannotBeWrittenIsNot) {
  std::ofstream(folder_) << "a file";
  EXPECT_THROW(CubinCache{folder_}, std::runtime_error);
  fs::remove(folder_);
  const CubinCache cache(folder_);
  fs::remove_all(folder_);
  EXPECT_TRUE(cache.get(*nvrtc_, source_of("relu"), "sm_90").compiled);
}

}  // namespace
}  // namespace actsearch
