#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

#include "evaluator/data/dataset.h"
#include "evaluator/data/md5.h"

namespace actsearch {
namespace {

constexpr std::size_t kImageBytes = kCifar10Shape.bytes(), kImageChannels = kCifar10Shape.channels, kClasses = kCifar10Shape.classes;

std::string md5_of(const std::vector<std::uint8_t>& bytes) { return md5_hex(bytes.data(), bytes.size()); }

TEST(Synthetic, HasTheSizesAskedForAndAsManyImagesOfEveryClass) {
  const Dataset dataset = make_synthetic(1, 300, 70);
  EXPECT_EQ(dataset.name, "synthetic");
  EXPECT_EQ(dataset.source, "synthetic shapes, seed 1, 300 training and 70 test images");
  EXPECT_EQ(dataset.train.pixels.size(), 300u * kImageBytes);
  EXPECT_EQ(dataset.test.pixels.size(), 70u * kImageBytes);
  for (const std::size_t count : class_counts(dataset.train.labels, 10)) EXPECT_EQ(count, 30u);
  for (const std::size_t count : class_counts(dataset.test.labels, 10)) EXPECT_EQ(count, 7u);
  EXPECT_FALSE(std::is_sorted(dataset.train.labels.begin(), dataset.train.labels.end()));
}

/// Scores on the built-in set compare across machines only while these bytes stay.
TEST(Synthetic, IsTheSameBytesOnEveryMachine) {
  const Dataset dataset = make_synthetic(1, 200, 100);
  EXPECT_EQ(md5_of(dataset.train.pixels), "876f43556f016b6319bd8dcf85522f76");
  EXPECT_EQ(md5_of(dataset.test.pixels), "4ed05cfe80a6fd7949eb47c27edcbc56");
  EXPECT_EQ(md5_of({dataset.train.labels.begin(), dataset.train.labels.end()}), "072489d88bcce60917171f17862bc3f7");
}

TEST(Synthetic, DoesNotDependOnWhichThreadDrawsWhat) {
  const std::string alone = md5_of(make_synthetic(5, 1'000, 1).train.pixels);
  std::array<std::string, 3> together;
  std::vector<std::thread> threads;
  for (std::string& md5 : together) threads.emplace_back([&md5] { md5 = md5_of(make_synthetic(5, 1'000, 1).train.pixels); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& md5 : together) EXPECT_EQ(md5, alone);
}

TEST(Synthetic, DiffersBySeedAndBetweenTrainingAndTest) {
  const Dataset dataset = make_synthetic(1, 100, 100);
  EXPECT_NE(dataset.train.pixels, dataset.test.pixels);
  EXPECT_NE(dataset.train.pixels, make_synthetic(2, 100, 100).train.pixels);
}

TEST(Synthetic, UsesTheWholeRangeOfBrightnessWithoutClippingMuch) {
  const Dataset dataset = make_synthetic(1, 1'000, 1);
  const std::vector<std::uint8_t>& pixels = dataset.train.pixels;
  double sum = 0, squares = 0;
  for (const std::uint8_t pixel : pixels) sum += pixel, squares += double{1} * pixel * pixel;
  const double n = static_cast<double>(pixels.size()), mean = sum / n;
  EXPECT_NEAR(mean, 127.5, 10);
  EXPECT_NEAR(std::sqrt(squares / n - mean * mean), 60, 20);  // CIFAR-10's pixels: 64
  const auto clipped = std::count_if(pixels.begin(), pixels.end(), [](std::uint8_t p) { return p == 0 || p == 255; });
  EXPECT_LT(static_cast<double>(clipped) / n, 0.05);
}

/// Least squares from 8×8 averages per channel to the classes: what colour and place alone tell.
class LinearModel {
 public:
  explicit LinearModel(const ImageSet& set) {
    std::vector<double> gram(kInputs * kInputs, 0.0);
    weights_.assign(kInputs * kClasses, 0.0);
    for (std::size_t i = 0; i < set.size(); ++i) {
      const Inputs x = inputs(set.image(i));
      for (std::size_t a = 0; a < kInputs; ++a) {
        for (std::size_t b = 0; b < kInputs; ++b) gram[a * kInputs + b] += x[a] * x[b];
        weights_[a * kClasses + set.labels[i]] += x[a];
      }
    }
    for (std::size_t a = 0; a < kInputs; ++a) gram[a * kInputs + a] += 1.0;  // ridge: invertible, and no other effect to speak of
    solve(gram);
  }

  double accuracy(const ImageSet& set) const {
    std::size_t right = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
      const Inputs x = inputs(set.image(i));
      std::array<double, kClasses> scores{};
      for (std::size_t a = 0; a < kInputs; ++a) {
        for (std::size_t c = 0; c < kClasses; ++c) scores[c] += x[a] * weights_[a * kClasses + c];
      }
      right += std::max_element(scores.begin(), scores.end()) - scores.begin() == set.labels[i];
    }
    return static_cast<double>(right) / static_cast<double>(set.size());
  }

 private:
  static constexpr std::size_t kCells = 8, kInputs = kCells * kCells * kImageChannels + 1;
  using Inputs = std::array<double, kInputs>;

  static Inputs inputs(std::span<const std::uint8_t> image) {
    Inputs x{};
    for (std::size_t i = 0; i < image.size(); ++i) {
      const std::size_t channel = i / 1'024, row = i / 32 % 32, column = i % 32;
      x[(channel * kCells + row / 4) * kCells + column / 4] += (image[i] - 127.5) / (16 * 64);
    }
    x.back() = 1;
    return x;
  }

  /// Gaussian elimination; the matrix is positive definite, so the pivots need no search.
  void solve(std::vector<double>& gram) {
    for (std::size_t a = 0; a < kInputs; ++a) {
      for (std::size_t b = 0; b < kInputs; ++b) {
        if (b == a) continue;
        const double ratio = gram[b * kInputs + a] / gram[a * kInputs + a];
        for (std::size_t k = a; k < kInputs; ++k) gram[b * kInputs + k] -= ratio * gram[a * kInputs + k];
        for (std::size_t c = 0; c < kClasses; ++c) weights_[b * kClasses + c] -= ratio * weights_[a * kClasses + c];
      }
    }
    for (std::size_t a = 0; a < kInputs; ++a) {
      for (std::size_t c = 0; c < kClasses; ++c) weights_[a * kClasses + c] /= gram[a * kInputs + a];
    }
  }

  std::vector<double> weights_;  ///< kInputs × kClasses
};

TEST(Synthetic, GivesALinearModelAHintAndNoMore) {
  const Dataset dataset = make_synthetic(1, 4'000, 2'000);
  const double accuracy = LinearModel(dataset.train).accuracy(dataset.test);
  RecordProperty("linear_accuracy", std::to_string(accuracy));
  EXPECT_GT(accuracy, 0.15) << "chance is 0.1 ± 0.007";
  EXPECT_LT(accuracy, 0.40);
}

}  // namespace
}  // namespace actsearch
