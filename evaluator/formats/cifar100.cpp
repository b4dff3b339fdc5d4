#include "evaluator/formats/cifar100.h"

#include <algorithm>

#include "evaluator/data/md5.h"
#include "evaluator/formats/files.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

constexpr ImageShape kImages{.channels = 3, .side = 32, .classes = 100, .mean = {}, .deviation = {}};
constexpr int kCoarseClasses = 20;
constexpr std::size_t kRecord = 2 + kImages.bytes();
constexpr const char* kUnpackedName = "cifar-100-binary";
constexpr const char* kMend = "; unpack cifar-100-binary.tar.gz afresh, or fetch it with: actsearch data fetch cifar100";

[[noreturn]] void reject(const fs::path& path, const std::string& what) { throw DataError(quoted(path) + " " + what + kMend); }

bool holds_a_file(const fs::path& directory) {
  std::error_code ignored;  // an unreadable directory holds none
  return fs::is_regular_file(directory / "train.bin", ignored) || fs::is_regular_file(directory / "test.bin", ignored);
}

void require_label(const fs::path& file, std::size_t record, const char* kind, int label, int classes) {
  if (label < classes) return;
  reject(file, "is mislabelled: record " + std::to_string(record) + " has " + kind + " label " + std::to_string(label) + ", above " +
                   std::to_string(classes - 1));
}

ImageSet read_set(const fs::path& file, Md5& md5) {
  std::error_code error;
  if (!fs::exists(file, error)) reject(file, "is missing");
  const std::vector<std::uint8_t> bytes = read_file(file);
  const std::size_t records = bytes.size() / kRecord;
  if (records == 0 || bytes.size() % kRecord != 0) {
    reject(file, "is truncated or too long: " + std::to_string(bytes.size()) + " bytes are no whole number of records of " +
                     std::to_string(kRecord));
  }
  md5.update(bytes.data(), bytes.size());
  ImageSet set;
  set.pixels.reserve(records * kImages.bytes());
  for (std::size_t i = 0; i < records; ++i) {
    const std::uint8_t* const record = bytes.data() + i * kRecord;
    require_label(file, i, "coarse", record[0], kCoarseClasses);
    require_label(file, i, "fine", record[1], kImages.classes);
    set.labels.push_back(record[1]);
    set.pixels.insert(set.pixels.end(), record + 2, record + kRecord);
  }
  return set;
}

}  // namespace

bool is_cifar100(const fs::path& directory) { return holds_a_file(directory) || holds_a_file(directory / kUnpackedName); }

Dataset load_cifar100(const fs::path& given) {
  const fs::path directory = holds_a_file(given) ? given : given / kUnpackedName;
  Md5 md5;
  Dataset dataset{.name = "cifar100", .source = "", .shape = kImages, .train = {}, .test = {}};
  dataset.train = read_set(directory / "train.bin", md5);
  dataset.test = read_set(directory / "test.bin", md5);
  dataset.shape = with_measured_pixels(kImages, dataset.train);
  dataset.source = "CIFAR-100, fine labels, MD5 of the two files " + md5.hex();
  return dataset;
}

}  // namespace actsearch
