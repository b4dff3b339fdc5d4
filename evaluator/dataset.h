/// CIFAR-10 in memory: uint8 images as the files hold them, held once and shared by all trials.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace actsearch {

inline constexpr int kImageSide = 32;
inline constexpr int kImageChannels = 3;
inline constexpr int kImageBytes = kImageChannels * kImageSide * kImageSide;  ///< 3,072: red, green, blue planes, row-major
inline constexpr int kRecordBytes = 1 + kImageBytes;                          ///< one label byte, then the image
inline constexpr int kClasses = 10;

/// A file or directory that is not the data set it should be; the message names the file, what is wrong and the mend.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Images and their labels, in file order.
struct ImageSet {
  std::vector<std::uint8_t> pixels;  ///< size() × 3 × 32 × 32
  std::vector<std::uint8_t> labels;  ///< size(), each below kClasses
  std::size_t size() const { return labels.size(); }
  std::span<const std::uint8_t> image(std::size_t i) const { return {pixels.data() + i * kImageBytes, kImageBytes}; }
};

struct Dataset {
  std::string name;    ///< "cifar10" or "synthetic"
  std::string source;  ///< for people and for the record of every trial: where it came from, its checksum
  ImageSet train;      ///< 50,000 of CIFAR-10
  ImageSet test;       ///< 10,000 of CIFAR-10
};

/// Reads data_batch_1..5.bin and test_batch.bin of `directory`. Every file is exactly 10,000 records with labels 0..9;
/// DataError otherwise (missing, truncated, oversized, mislabelled). `source` says whether the checksum (MD5 of the six files
/// in order) is that of the official archive's files.
Dataset load_cifar10(const std::filesystem::path& directory);

/// Ten classes of procedurally drawn coloured shapes and textures, a pure function of the seed and the sizes.
Dataset make_synthetic(std::uint64_t seed = 1, std::size_t train_size = 50'000, std::size_t test_size = 10'000);

/// Indices into a training set: what trains and what validates. Together each index once.
struct Split {
  std::vector<std::uint32_t> train;
  std::vector<std::uint32_t> validation;
};
/// A stratified split with `validation_size` images (the same number of every class where it divides), chosen by a fixed
/// seed, so the same for every trial and machine. validation_size = 0 gives everything to train.
Split stratified_split(std::span<const std::uint8_t> labels, std::size_t validation_size = 5'000);

}  // namespace actsearch
