/// CIFAR-10's binary version: five files that train and one that tests, each of 10,000 records of a label byte and an image.
#pragma once

#include <array>
#include <filesystem>
#include <iosfwd>
#include <string_view>

#include "evaluator/data/dataset.h"

namespace actsearch {

inline constexpr std::string_view kCifar10Name = "cifar10";             ///< Dataset::name
inline constexpr std::size_t kRecordBytes = 1 + kCifar10Shape.bytes();  ///< one label byte, then the image
inline constexpr std::size_t kBatchRecords = 10'000;                    ///< in each file
/// Five that train, one that tests.
inline constexpr std::array<std::string_view, 6> kBatchFiles{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                             "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

/// Whether the directory, or cifar-10-batches-bin in it, has any of the files; those of the Python version count, and are refused later.
bool is_cifar10(const std::filesystem::path& directory);

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

}  // namespace actsearch
