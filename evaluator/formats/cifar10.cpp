#include "evaluator/formats/cifar10.h"

#include <algorithm>
#include <fstream>

#include "evaluator/data/md5.h"
#include "evaluator/formats/files.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kImageBytes = kCifar10Shape.bytes();
constexpr std::size_t kClasses = kCifar10Shape.classes;
constexpr std::uintmax_t kBatchBytes = std::uintmax_t{kBatchRecords} * kRecordBytes;
constexpr std::string_view kUnpackedName = "cifar-10-batches-bin";
constexpr std::string_view kMend = "; unpack cifar-10-binary.tar.gz afresh, or fetch it with: actsearch data fetch DIR";

[[noreturn]] void reject(const fs::path& path, const std::string& what) { throw DataError(quoted(path) + " " + what + std::string(kMend)); }

bool holds_a_batch(const fs::path& directory) {
  std::error_code ignored;  // an unreadable directory holds none; opening the files states the reason
  return std::any_of(kBatchFiles.begin(), kBatchFiles.end(), [&](std::string_view name) { return fs::exists(directory / name, ignored); });
}

/// The file opened at its start; DataError unless it is a readable file of exactly kBatchBytes.
std::ifstream open_batch(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) reject(path, "is missing");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) reject(path, "cannot be read (" + error.message() + ")");
  if (size != kBatchBytes) {
    reject(path, std::string(size < kBatchBytes ? "is truncated: " : "is too long: ") + std::to_string(size) + " bytes instead of " +
                     std::to_string(kBatchBytes) + " (10,000 records of 3,073)");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) reject(path, "cannot be opened for reading");
  return file;
}

ImageSet empty_set(std::size_t size) { return {std::vector<std::uint8_t>(size * kImageBytes), std::vector<Label>(size)}; }

/// Every class has as many images as any other, in CIFAR-10's training and test files alike.
void check_balance(const ImageSet& set, const fs::path& directory, std::string_view which) {
  const std::vector<std::size_t> counts = class_counts(set.labels, kCifar10Shape.classes);
  for (std::size_t label = 0; label < kClasses; ++label) {
    if (counts[label] != set.size() / kClasses) {
      reject(directory, "is mislabelled: " + std::to_string(counts[label]) + " of its " + std::string(which) + " images have label " +
                            std::to_string(label) + " instead of " + std::to_string(set.size() / kClasses));
    }
  }
}

}  // namespace

void detail::read_records(std::istream& in, const fs::path& file, std::size_t records, ImageSet& set, std::size_t first, Md5& md5) {
  constexpr std::size_t kChunk = 250;  // records: 770 KB, which stay in the cache between hashing and copying
  std::vector<char> chunk(std::min(kChunk, records) * kRecordBytes);
  for (std::size_t start = 0; start < records; start += kChunk) {
    const std::size_t n = std::min(kChunk, records - start);
    if (!in.read(chunk.data(), static_cast<std::streamsize>(n * kRecordBytes))) reject(file, "cannot be read to its end");
    md5.update(chunk.data(), n * kRecordBytes);
    for (std::size_t i = 0; i < n; ++i) {
      const char* record = chunk.data() + i * kRecordBytes;
      const auto label = static_cast<std::uint8_t>(*record);
      if (label >= kClasses) {
        reject(file, "is mislabelled: record " + std::to_string(start + i) + " has label " + std::to_string(label) + ", above 9");
      }
      const std::size_t place = first + start + i;
      set.labels[place] = label;
      std::copy_n(record + 1, kImageBytes, reinterpret_cast<char*>(set.pixels.data()) + place * kImageBytes);
    }
  }
}

fs::path find_batches(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) reject(directory, "does not exist");
  if (!fs::is_directory(directory, error)) reject(directory, "is not a directory: give the one that holds data_batch_1.bin");
  if (holds_a_batch(directory)) return directory;
  if (fs::path below = directory / kUnpackedName; holds_a_batch(below)) return below;
  if (fs::exists(directory / "data_batch_1", error)) {
    reject(directory, "holds CIFAR-10's Python version; the binary version is needed");
  }
  reject(directory, "does not hold CIFAR-10's binary files (data_batch_1.bin to data_batch_5.bin and test_batch.bin)");
}

Dataset load_cifar10(const fs::path& given) {
  const fs::path directory = find_batches(given);
  constexpr std::size_t kTrainFiles = kBatchFiles.size() - 1;
  for (const std::string_view name : kBatchFiles) open_batch(directory / name);  // a file of the wrong size is found before any is read
  Dataset dataset{std::string(kCifar10Name), "", kCifar10Shape, empty_set(kTrainFiles * kBatchRecords), empty_set(kBatchRecords)};
  Md5 md5;
  for (std::size_t i = 0; i < kBatchFiles.size(); ++i) {
    const fs::path file = directory / kBatchFiles[i];
    std::ifstream in = open_batch(file);
    const bool trains = i < kTrainFiles;
    detail::read_records(in, file, kBatchRecords, trains ? dataset.train : dataset.test, trains ? i * kBatchRecords : 0, md5);
  }
  check_balance(dataset.train, directory, "training");
  check_balance(dataset.test, directory, "test");
  dataset.source = "CIFAR-10, MD5 of the six files " + md5.hex();
  return dataset;
}

bool is_cifar10(const fs::path& directory) {
  std::error_code ignored;
  return holds_a_batch(directory) || holds_a_batch(directory / kUnpackedName) || fs::exists(directory / "data_batch_1", ignored);
}

}  // namespace actsearch
