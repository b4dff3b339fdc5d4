// Files in the place of CIFAR-10's: a directory of them, the records of one, and the split of what came out.

#include <fstream>
#include <numeric>
#include <sstream>

#include "evaluator/data/dataset.h"
#include "evaluator/data/md5.h"
#include "evaluator/formats/data_source.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Directory directory;
  const std::string bytes(fuzz::text_of(data, size));
  const auto file = directory.path() / kBatchFiles[0];
  std::ofstream(file, std::ios::binary) << bytes;
  try {
    load_cifar10(directory.path());
    fuzz::require(false, "a directory with one short file is no data set");
  } catch (const DataError& error) {
    fuzz::require(std::string(error.what()).find("data_batch_1.bin") != std::string::npos, "a message names the file");
  }

  const std::size_t records = size / kRecordBytes;
  ImageSet set{std::vector<std::uint8_t>(records * kCifar10Shape.bytes()), std::vector<Label>(records)};
  try {
    std::istringstream in(bytes);
    Md5 md5;
    detail::read_records(in, file, records, set, 0, md5);
  } catch (const DataError&) {
    return 0;
  }
  const std::vector<std::size_t> counts = class_counts(set.labels, kCifar10Shape.classes);
  fuzz::require(std::accumulate(counts.begin(), counts.end(), std::size_t{0}) == records, "every image has a class");
  try {
    const std::size_t validate = size % 7, fold = size % 3, train = size % 5;
    const Split split = stratified_split(set.labels, validate, fold, train);
    fuzz::require(split.validation.size() == validate && (train == 0 || split.train.size() == train), "a split has what was asked for");
    for (const std::uint32_t i : split.train) fuzz::require(i < records, "an index is one");
  } catch (const std::invalid_argument&) {  // too few images
  }
  return 0;
}
