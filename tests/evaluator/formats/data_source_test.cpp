#include "evaluator/formats/data_source.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "evaluator/data/md5.h"
#include "tests/evaluator/formats/fake_cifar10.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

std::string md5_of(const std::string& text) { return md5_hex(text.data(), text.size()); }

TEST(Md5, AgreesWithTheTestSuiteOfRfc1321) {
  EXPECT_EQ(md5_of(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_of("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(md5_of("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5_of("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(md5_of("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(md5_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(md5_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"), "57edf4a22be3c955ac49da2e2107b67a");
}

/// What a message's pieces give does not depend on where they are cut, for lengths around the 64-byte block and its padding.
TEST(Md5, DoesNotDependOnHowTheMessageIsCut) {
  for (const std::size_t length : {1, 55, 56, 63, 64, 65, 119, 120, 128, 200}) {
    const std::string text(length, 'q');
    for (std::size_t cut = 0; cut <= length; ++cut) {
      Md5 md5;
      md5.update(text.data(), cut);
      md5.hex();  // leaves the message as it is
      md5.update(text.data() + cut, length - cut);
      ASSERT_EQ(md5.hex(), md5_of(text)) << length << " cut at " << cut;
    }
  }
}

/// Works in the test's own directory, without ACTSEARCH_DATA; puts both back.
class DataSource : public FakeCifar10 {
 protected:
  DataSource() : home_(fs::current_path()) {
    if (const char* value = std::getenv("ACTSEARCH_DATA")) environment_ = value;
    unsetenv("ACTSEARCH_DATA");
    fs::current_path(root_);
  }
  ~DataSource() override {
    fs::current_path(home_);
    environment_ ? setenv("ACTSEARCH_DATA", environment_->c_str(), 1) : unsetenv("ACTSEARCH_DATA");
  }

  /// What find_dataset says; the data set's name is kept in name_.
  std::string find(const std::optional<std::string>& requested, const Archive& archive = {"file:///does/not/exist", ""}) {
    std::string said;
    const Dataset dataset = find_dataset(
        requested, [&](const std::string& line) { said += line; }, archive);
    name_ = dataset.name;
    train_size_ = dataset.train.size();
    return said;
  }
  void fetch(const Archive& archive) {
    fetch_dataset(
        root_ / "fetched", [this](const std::string& line) { said_ += line + "\n"; }, archive);
  }

  /// Packs a whole data set as the official archive is packed.
  Archive make_archive() {
    make_directory("packing/cifar-10-batches-bin");
    const fs::path file = root_ / "archive.tar.gz";
    EXPECT_EQ(
        detail::run_program({"tar", "--use-compress-program", "gzip -1", "-cf", file, "-C", root_ / "packing", "cifar-10-batches-bin"}), 0);
    bytes_ = read(file);
    return {"file://" + file.string(), md5_hex(bytes_.data(), bytes_.size())};
  }
  static std::vector<char> read(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static std::vector<fs::path> contents(const fs::path& directory) {
    std::vector<fs::path> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    return names;
  }

  fs::path home_;
  std::optional<std::string> environment_;
  std::string name_, said_;
  std::size_t train_size_ = 0;
  std::vector<char> bytes_;  ///< of the archive
};

TEST_F(DataSource, PrefersWhatWasAskedForToTheEnvironment) {
  setenv("ACTSEARCH_DATA", "/does/not/exist", 1);
  EXPECT_TRUE(contains(find("synthetic"), "--data"));
  EXPECT_EQ(name_, "synthetic");
  const std::string directory = make_directory("asked");
  const std::string said = find(directory);
  EXPECT_EQ(name_, "cifar10");
  EXPECT_TRUE(contains(said, directory));
}

TEST_F(DataSource, PrefersTheEnvironmentToTheUsualPlace) {
  make_directory("data/cifar-10-batches-bin");
  setenv("ACTSEARCH_DATA", "synthetic", 1);
  EXPECT_TRUE(contains(find({}), "$ACTSEARCH_DATA"));
  EXPECT_EQ(name_, "synthetic");
}

TEST_F(DataSource, PrefersTheUsualPlaceToADownload) {
  make_directory("data/cifar-10-batches-bin");
  EXPECT_TRUE(contains(find({}), "data/cifar-10-batches-bin"));
  EXPECT_EQ(name_, "cifar10");
}

TEST_F(DataSource, ADownloadThatFailsIsAnErrorWithThreeWaysOnAndLeavesNothing) {
  setenv("ACTSEARCH_DATA", "", 1);
  const std::string error = data_error([&] { find({}); });
  for (const char* const part : {"$ACTSEARCH_DATA (not given)", "data/cifar-10-batches-bin (not there)", "file:///", "curl",
                                 "actsearch data fetch data", "--data DIR", "--data synthetic"}) {
    EXPECT_TRUE(contains(error, part)) << part << " is not in: " << error;
  }
  EXPECT_EQ(contents("."), std::vector<fs::path>{});
}

TEST_F(DataSource, ADownloadBrokenOffStaysToBeContinued) {
  fs::create_directories("data");
  write("data/cifar-10-binary.tar.gz.part", {'x'});
  data_error([&] { find({}); });
  EXPECT_TRUE(fs::exists("data/cifar-10-binary.tar.gz.part"));
}

TEST_F(DataSource, FetchesTheArchiveWhereThereIsNothing) {
  const Archive archive = make_archive();
  EXPECT_TRUE(contains(find({}, archive), "downloaded"));
  EXPECT_EQ(name_, "cifar10");
  EXPECT_TRUE(contains(find({}, archive), "the usual place"));
}

TEST_F(DataSource, MakesASyntheticSetOfTheSizeAskedFor) {
  find("synthetic:200");
  EXPECT_EQ(train_size_, 200u);
  for (const char* const bad : {"synthetic:", "synthetic:-5", "synthetic:9", "synthetic:1e3", "synthetic:99999999999999999999"}) {
    EXPECT_TRUE(contains(data_error([&] { find(bad); }), "expected a number of images")) << bad;
  }
}

TEST_F(DataSource, NeverFallsBackFromADirectoryThatIsNotWhole) {
  make_directory("data/cifar-10-batches-bin");
  EXPECT_TRUE(contains(data_error([&] { find("nowhere"); }), "--data: \"nowhere\" does not exist"));
  setenv("ACTSEARCH_DATA", "nowhere", 1);
  EXPECT_TRUE(contains(data_error([&] { find({}); }), "$ACTSEARCH_DATA: \"nowhere\" does not exist"));
  unsetenv("ACTSEARCH_DATA");
  fs::remove("data/cifar-10-batches-bin/test_batch.bin");
  EXPECT_TRUE(contains(data_error([&] { find({}); }), "test_batch.bin\" is missing"));
}

TEST_F(DataSource, CheckReportsEveryFile) {
  const fs::path directory = make_directory("whole");
  const std::string report = check_dataset(directory);
  const std::vector<char> bytes = batch_bytes();
  for (const std::string_view name : kBatchFiles) {
    EXPECT_TRUE(contains(report, std::string(name) + "  30730000 bytes  MD5 " + md5_hex(bytes.data(), bytes.size()) +
                                     " altered  labels 0-9: 1000 1000 1000 1000 1000 1000 1000 1000 1000 1000\n"));
  }
  EXPECT_TRUE(contains(report, "50000 training and 10000 test images"));
  EXPECT_TRUE(contains(report, "altered: 6 of 6 files are not CIFAR-10 as published")) << report;

  const std::string md5 = md5_hex(bytes.data(), bytes.size());
  BatchSums published;
  published.fill(md5);
  const std::string whole = check_dataset(directory, published);
  EXPECT_TRUE(contains(whole, md5 + " as published  labels")) << whole;
  EXPECT_TRUE(contains(whole, "\nall files are as published\n")) << whole;
  EXPECT_FALSE(contains(whole, "altered")) << whole;
  published[3] = kPublishedSums[3];
  EXPECT_TRUE(contains(check_dataset(directory, published), "altered: 1 of 6 files"));
}

TEST_F(DataSource, CheckRefusesWhatLoadingRefuses) {
  const fs::path directory = make_directory("bad");
  fs::resize_file(directory / "test_batch.bin", 100);  // all six are one file
  EXPECT_TRUE(contains(data_error([&] { check_dataset(directory); }), "truncated"));
}

TEST_F(DataSource, FetchLeavesACheckedDirectoryAndNothingElse) {
  fetch(make_archive());
  EXPECT_EQ(load_cifar10(root_ / "fetched").train.size(), 50'000u);
  EXPECT_EQ(contents(root_ / "fetched"), std::vector<fs::path>{"cifar-10-batches-bin"});
}

TEST_F(DataSource, FetchDownloadsNothingThatIsThereAlready) {
  make_directory("fetched/cifar-10-batches-bin");
  fetch({"file:///does/not/exist", "none"});
  EXPECT_TRUE(contains(said_, "already there"));
}

TEST_F(DataSource, FetchRefusesAWrongChecksumAndLeavesNothing) {
  Archive archive = make_archive();
  archive.md5 = std::string(32, '0');
  EXPECT_TRUE(contains(data_error([&] { fetch(archive); }), "instead of 00000000000000000000000000000000"));
  EXPECT_FALSE(fs::exists(root_ / "fetched"));
}

/// Only a download that goes on where the first half ends comes out right: at its source that half is damaged.
TEST_F(DataSource, FetchContinuesADownloadBrokenOff) {
  const Archive archive = make_archive();
  const std::size_t half = bytes_.size() / 2;
  fs::create_directories(root_ / "fetched");
  write(root_ / "fetched/cifar-10-binary.tar.gz.part", {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(half)});
  std::vector<char> damaged = bytes_;
  std::fill_n(damaged.begin(), half, 0);
  write(root_ / "archive.tar.gz", damaged);
  fetch(archive);
  EXPECT_EQ(load_cifar10(root_ / "fetched").train.size(), 50'000u);
  EXPECT_TRUE(contains(said_, "continuing at byte " + std::to_string(half)));
}

TEST_F(DataSource, FetchUsesAndKeepsAnArchiveTheUserPutThere) {
  Archive archive = make_archive();
  fs::create_directories(root_ / "fetched");
  fs::rename(root_ / "archive.tar.gz", root_ / "fetched/cifar-10-binary.tar.gz");
  fetch(archive);
  EXPECT_TRUE(fs::exists(root_ / "fetched/cifar-10-binary.tar.gz"));
  EXPECT_EQ(load_cifar10(root_ / "fetched").train.size(), 50'000u);
}

TEST_F(DataSource, FetchSaysWhereToPutTheArchiveWhenItCannotBeDownloaded) {
  EXPECT_TRUE(contains(data_error([&] { fetch({"file:///does/not/exist.tar.gz", "none"}); }), "or put the archive into"));
}

TEST_F(DataSource, FetchRefusesAnArchiveThatHoldsSomethingElse) {
  const std::string text = "not an archive";
  write(root_ / "archive.tar.gz", {text.begin(), text.end()});
  const Archive archive{"file://" + (root_ / "archive.tar.gz").string(), md5_of(text)};
  EXPECT_TRUE(contains(data_error([&] { fetch(archive); }), "tar could not unpack"));
  EXPECT_FALSE(fs::exists(root_ / "fetched/cifar-10-batches-bin"));
}

TEST_F(DataSource, FetchNamesADirectoryThatCannotBeMade) {
  write(root_ / "fetched", {'x'});
  EXPECT_TRUE(contains(data_error([&] { fetch({"file:///does/not/exist", "none"}); }), "fetched\" cannot hold the data set"));
}

TEST(RunProgram, ReportsTheExitStatusTheSignalAndAMissingProgram) {
  EXPECT_EQ(detail::run_program({"true"}), 0);
  EXPECT_EQ(detail::run_program({"sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(detail::run_program({"sh", "-c", "kill -TERM $$"}), 128 + 15);
  EXPECT_EQ(detail::run_program({"actsearch-no-such-program"}), 127);
}

}  // namespace
}  // namespace actsearch
