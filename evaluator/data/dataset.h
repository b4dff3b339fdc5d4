/// CIFAR-10 in memory: uint8 images as the files hold them, held once and shared by all trials.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace actsearch {

inline constexpr int kImageSide = 32;
inline constexpr int kImageChannels = 3;
inline constexpr int kImageBytes = kImageChannels * kImageSide * kImageSide;  ///< 3,072: red, green, blue planes, row-major
inline constexpr int kRecordBytes = 1 + kImageBytes;                          ///< one label byte, then the image
inline constexpr int kClasses = 10;
inline constexpr std::size_t kBatchRecords = 10'000;  ///< in each of CIFAR-10's files
/// CIFAR-10's files: five that train, one that tests.
inline constexpr std::array<std::string_view, 6> kBatchFiles{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                             "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

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
  std::string source;  ///< for people and for the record of every trial: what it is and its checksum or seed. It names no path:
                       ///< the same images in another place are the same data
  ImageSet train;      ///< 50,000 of CIFAR-10
  ImageSet test;       ///< 10,000 of CIFAR-10
};

/// Images of each class.
using ClassCounts = std::array<std::size_t, kClasses>;
/// std::out_of_range for a label that is not below kClasses.
ClassCounts class_counts(std::span<const std::uint8_t> labels);

/// Where the six files are: `directory` itself, or cifar-10-batches-bin in it. DataError if neither holds any of them.
std::filesystem::path find_batches(const std::filesystem::path& directory);

/// Reads the six files found by find_batches. Every file is exactly 10,000 records with labels 0..9, and every class has 5,000
/// training and 1,000 test images; DataError otherwise (missing, truncated, oversized, mislabelled). `source` states the MD5 of
/// the six files in order, what `cat data_batch_[1-5].bin test_batch.bin | md5sum` prints.
Dataset load_cifar10(const std::filesystem::path& directory);

class Md5;
namespace detail {
/// The next `records` records of a stream into `set` from image `first` on, their bytes appended to the checksum. `file` is for messages:
/// DataError where the stream ends too early or a label is above 9.
void read_records(std::istream& in, const std::filesystem::path& file, std::size_t records, ImageSet& set, std::size_t first, Md5& md5);
}  // namespace detail

/// Ten classes of procedurally drawn coloured shapes and textures, a pure function of the seed and the sizes.
Dataset make_synthetic(std::uint64_t seed = 1, std::size_t train_size = 50'000, std::size_t test_size = 10'000);

/// Indices into a training set: what trains and what validates. Together each index at most once.
struct Split {
  std::vector<std::uint32_t> train;
  std::vector<std::uint32_t> validation;
};
/// A stratified split: `validation_size` images validate, the same number of every class where it divides. A fixed seed chooses them, so
/// the split is the same for every trial and machine. Both lists ascend. Different folds share no validation image. With validation_size =
/// 0 everything trains. With a `train_size` only so many images train, stratified too; a smaller set is part of every larger one. The other
/// images are in neither list. std::invalid_argument if there are too few images for fold + 1 validation sets, or for `train_size`.
Split stratified_split(std::span<const std::uint8_t> labels, std::size_t validation_size = 5'000, std::size_t fold = 0,
                       std::size_t train_size = 0);

}  // namespace actsearch
