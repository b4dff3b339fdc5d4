// Reads real CIFAR-10 from the directory $ACTSEARCH_DATA; skipped where that is not set.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "evaluator/data/augmentation.h"
#include "evaluator/formats/data_source.h"

namespace actsearch {
namespace {

class RealCifar10 : public testing::Test {
 protected:
  void SetUp() override {
    const char* directory = std::getenv("ACTSEARCH_DATA");
    if (directory == nullptr || *directory == '\0' || std::string(directory) == "synthetic") {
      GTEST_SKIP() << "ACTSEARCH_DATA does not name a directory with CIFAR-10";
    }
    directory_ = directory;
  }
  std::string directory_;
};

TEST_F(RealCifar10, HasFiveThousandTrainingAndOneThousandTestImagesOfEveryClass) {
  const Dataset dataset = load_cifar10(directory_);
  for (const std::size_t count : class_counts(dataset.train.labels, 10)) EXPECT_EQ(count, 5'000u);
  for (const std::size_t count : class_counts(dataset.test.labels, 10)) EXPECT_EQ(count, 1'000u);
}

/// Also shows that planes, rows and channels are where they are taken to be. 1 of 255 leaves room for a re-encoded copy.
TEST_F(RealCifar10, HasTheMeanAndDeviationThatNormalisationTakesOff) {
  const Dataset dataset = load_cifar10(directory_);
  for (std::size_t channel = 0; channel < 3u; ++channel) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < dataset.train.size(); ++i) {
      for (const std::uint8_t pixel : dataset.train.image(i).subspan(channel * 1'024, 1'024)) {
        sum += pixel;
        squares += static_cast<double>(pixel) * pixel;
      }
    }
    const double n = 1'024.0 * static_cast<double>(dataset.train.size()), mean = sum / n;
    EXPECT_NEAR(mean, dataset.shape.mean[channel], 1.0) << channel;
    EXPECT_NEAR(std::sqrt(squares / n - mean * mean), dataset.shape.deviation[channel], 1.0) << channel;
  }
}

TEST_F(RealCifar10, PassesItsCheck) {
  const std::string report = check_dataset(directory_);
  EXPECT_NE(report.find("50000 training and 10000 test images"), std::string::npos) << report;
}

}  // namespace
}  // namespace actsearch
