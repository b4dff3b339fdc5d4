/// CIFAR-100's binary version: train.bin and test.bin of records of a coarse label, a fine label and an image like CIFAR-10's.
#pragma once

#include <filesystem>

#include "evaluator/data/dataset.h"

namespace actsearch {

/// Whether the directory, or cifar-100-binary in it, has train.bin or test.bin.
bool is_cifar100(const std::filesystem::path& directory);

/// The fine labels, 0..99. DataError where a file is missing, is no whole number of records, or has a label that is none. `source` states
/// the MD5 of the two files, what `cat train.bin test.bin | md5sum` prints.
Dataset load_cifar100(const std::filesystem::path& directory);

}  // namespace actsearch
