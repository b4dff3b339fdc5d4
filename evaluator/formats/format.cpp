#include "evaluator/formats/format.h"

#include "evaluator/data/resize.h"
#include "evaluator/formats/cifar10.h"
#include "evaluator/formats/cifar100.h"
#include "evaluator/formats/files.h"
#include "evaluator/formats/folder.h"
#include "evaluator/formats/idx.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

void require_supported(const ImageShape& shape, const fs::path& directory) {
  if (shape.side < ImageShape::kLeastSide || shape.side > ImageShape::kMostSide) {
    throw DataError(quoted(directory) + " has images of side " + std::to_string(shape.side) + "; networks take " +
                    std::to_string(ImageShape::kLeastSide) + " to " + std::to_string(ImageShape::kMostSide) +
                    ": resize them with --image-side");
  }
  if (shape.classes < ImageShape::kLeastClasses || shape.classes > ImageShape::kMostClasses) {
    throw DataError(quoted(directory) + " has " + std::to_string(shape.classes) + (shape.classes == 1 ? " class" : " classes") +
                    "; a network is trained on " + std::to_string(ImageShape::kLeastClasses) + " to " +
                    std::to_string(ImageShape::kMostClasses) + ": give a data set with so many");
  }
}

}  // namespace

const std::vector<DataFormat>& data_formats() {
  static const std::vector<DataFormat> kFormats{
      {kCifar10Name, "data_batch_1.bin to data_batch_5.bin and test_batch.bin", is_cifar10,
       [](const fs::path& directory, const LoadOptions&) { return load_cifar10(directory); }},
      {"cifar100", "train.bin and test.bin", is_cifar100,
       [](const fs::path& directory, const LoadOptions&) { return load_cifar100(directory); }},
      {"idx", "train-images-idx3-ubyte, train-labels-idx1-ubyte and the two of t10k, each perhaps with .gz", is_idx,
       [](const fs::path& directory, const LoadOptions&) { return load_idx(directory); }},
      {"folder", "a folder of PNG or JPEG pictures for each class, perhaps below train/ and test/ or val/", is_image_folder,
       load_image_folder},
  };
  return kFormats;
}

Dataset load_dataset(const fs::path& directory, const LoadOptions& options) {
  if (options.side && (*options.side < ImageShape::kLeastSide || *options.side > ImageShape::kMostSide)) {
    throw DataError("the side " + std::to_string(*options.side) + " is not one of " + std::to_string(ImageShape::kLeastSide) + " to " +
                    std::to_string(ImageShape::kMostSide));
  }
  std::error_code error;
  if (!fs::exists(directory, error)) throw DataError(quoted(directory) + " does not exist: give the directory that holds the data");
  if (!fs::is_directory(directory, error)) throw DataError(quoted(directory) + " is not a directory: give the one that holds the data");
  for (const DataFormat& format : data_formats()) {
    if (!format.recognises(directory)) continue;
    Dataset dataset = format.load(directory, options);
    const int side = options.side.value_or(dataset.shape.side);
    dataset = resized(std::move(dataset), side);
    require_supported(dataset.shape, directory);
    return dataset;
  }
  std::string known;
  for (const DataFormat& format : data_formats()) known += "\n  " + std::string(format.name) + ": " + std::string(format.holds);
  throw DataError(quoted(directory) + " holds no data set of a known format; a directory of one holds" + known + "\n");
}

}  // namespace actsearch
