// Data sets of other shapes, from the command line: what is stored, what ranks with what, and what is refused.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/evaluator/formats/drawn_files.h"
#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

namespace fs = std::filesystem;

class DataCommandLine : public CommandLine {
 protected:
  DataCommandLine() { setenv("XDG_CACHE_HOME", path("cache").c_str(), 1); }
  ~DataCommandLine() override { unsetenv("XDG_CACHE_HOME"); }

  /// `n` grey pictures of 16x16 in each of two classes.
  std::string pictures(const std::string& name, int n, unsigned seed) const {
    for (const char* const label : {"even", "odd"}) {
      for (int i = 0; i < n; ++i) write_png(path(name) + "/" + label + "/" + std::to_string(i) + ".png", picture(16, 16, 1, seed++));
    }
    return path(name);
  }
  std::vector<std::string> search(const std::string& data, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{
        "search", "--db",    path("a.db"), "--data", data, "--recipe", "vgg-s", "--device",        "cpu", "--epochs",
        "1",      "--batch", "16",         "--jobs", "1",  "--expr",   "relu",  "--budget-trials", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string query(const std::string& select) const { return run({"query", "--db", path("a.db"), "--format", "csv", select}).out; }
  static void expect(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
};

TEST_F(DataCommandLine, ASearchOnAFolderOfPicturesStoresWhatItIsAndRanksApartFromOtherPictures) {
  const std::string first = pictures("first", 60, 0), second = pictures("second", 60, 9);
  const Ran ran = run(search(first, {"--image-side", "16"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  expect(ran.err, "data: image folder, 2 classes, 1x16x16, 100 training and 20 test images split off, MD5 of classes and pixels ");
  const std::string one = query("SELECT DISTINCT data FROM study");
  expect(one, "image folder, 2 classes, 1x16x16");
  EXPECT_EQ(one.find(path("")), std::string::npos) << "the record names no path";
  fs::rename(first, path("moved"));
  ASSERT_EQ(run(search(path("moved"), {"--image-side", "16"})).code, 0);
  EXPECT_EQ(query("SELECT DISTINCT data FROM study"), one) << "the same pictures in another place are the same data";
  ASSERT_EQ(run(search(second, {"--image-side", "16"})).code, 0);
  ASSERT_EQ(run(search(path("moved"), {"--image-side", "24"})).code, 0);
  EXPECT_EQ(query("SELECT count(DISTINCT recipe) AS conditions FROM trial"), "conditions\n3\n");
  expect(query("SELECT text FROM recipe"), " validation=10 channels=1 classes=2 image_side=16 ");
}

TEST_F(DataCommandLine, DataThatDoNotSuitAreRefusedBeforeAnythingIsMade) {
  const std::string folder = pictures("p", 60, 0);
  const auto fails = [&](const std::vector<std::string>& words, int code, const std::vector<std::string>& parts) {
    const Ran ran = run(words);  // what it says of the pictures comes first, and they are kept
    EXPECT_EQ(ran.code, code) << ran.err;
    for (const std::string& part : parts) expect(ran.err, part);
    EXPECT_FALSE(fs::exists(path("a.db")));
  };
  fails(search(folder, {"--image-side", "20"}), kUsage,
        {"actsearch: recipe vgg-s: ", "a side of 20", "--image-side 24 or 16", "--image-side 24 or 16"});
  refuses(search(folder, {"--image-side", "97"}), kUsage, {"--image-side", "96"});
  refuses(search(folder, {"--image-side", "x"}), kUsage, {"--image-side"});
  std::ofstream(path("p/even/7.png")) << "no picture";
  fails(search(folder), kFailure, {"even/7.png", "neither PNG nor JPEG", "--skip-unreadable"});
  const Ran ran = run(search(folder, {"--skip-unreadable"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect(ran.err, "left out: \"" + path("p/even/7.png"));
}

TEST_F(DataCommandLine, TooFewImagesToValidateAreRefusedWithHowManyAreWanted) {
  for (int label = 0; label < 12; ++label) {
    for (int i = 0; i < 6; ++i)
      write_png(path("p/train/" + std::to_string(label) + "/" + std::to_string(i) + ".png"), picture(16, 16, 1, static_cast<unsigned>(i)));
  }
  write_png(path("p/test/3/0.png"), picture(16, 16, 1, 3));
  // The pictures were read, and are kept.
  const Ran ran = run(search(path("p"), {"--image-side", "16"}));
  EXPECT_EQ(ran.code, kFailure);
  expect(ran.err, "too few images to validate: a tenth of the 72 training images is less than one of each of the 12 classes");
  expect(ran.err, "give at least 120 training images");
  EXPECT_FALSE(fs::exists(path("a.db")));
}

TEST_F(DataCommandLine, CheckReadsWhatASearchWouldAndFetchKnowsTwoNames) {
  const Ran ran = run({"data", "check", pictures("p", 12, 0), "--image-side", "16"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect(ran.out,
         "format folder: 1 channel, 16x16 pixels, 2 classes\ntraining images of each class: 10 10\ntest images of each class: 2 2\n");
  refuses({"data", "fetch", "cifar100", "a", "b"}, kUsage, {"data"});
  refuses({"data", "fetch", "cifar1000", "a"}, kUsage, {"directory"});
  std::ofstream(path("file")) << "in the way";
  refuses({"data", "fetch", "cifar100", path("file")}, kFailure, {"file\" cannot hold the data set"});
}

}  // namespace
}  // namespace actsearch::testing
