/// IDX files, as MNIST and Fashion-MNIST come: grey images and labels, each file perhaps compressed with gzip.
#pragma once

#include <filesystem>

#include "evaluator/data/dataset.h"

namespace actsearch {

/// Whether the directory has train-images-idx3-ubyte, with .gz or not.
bool is_idx(const std::filesystem::path& directory);

/// The four files. There are as many classes as the highest training label says. DataError where a file is missing, no IDX file or
/// truncated, where images are not square, or where images and labels do not go together. `source` states the MD5 of the uncompressed
/// files in order (train-images, train-labels, t10k-images, t10k-labels).
Dataset load_idx(const std::filesystem::path& directory);

}  // namespace actsearch
