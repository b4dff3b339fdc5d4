/// Finding and fetching the data set: the directory given, the environment, the usual place, or the synthetic set.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "evaluator/dataset.h"

namespace actsearch {

/// The data set, first found wins: `requested` (--data: a directory, or the word "synthetic"), $ACTSEARCH_DATA (the same),
/// data/cifar-10-batches-bin below the working directory, else the synthetic set. A directory that was asked for and does not
/// hold the files is a DataError, never a silent fall-back. `say` receives one plain line stating which one is used and why.
Dataset find_dataset(const std::optional<std::string>& requested, const std::function<void(const std::string&)>& say);

/// What `data check DIR` reports: file by file sizes, labels per class, checksum; DataError if anything is wrong.
std::string check_dataset(const std::filesystem::path& directory);

/// Downloads the official archive (cifar-10-binary.tar.gz) with a progress display through the curl program, checks its MD5
/// c32a1d4ab5d03f1284b67883e8d87530, unpacks it with tar to DIR/cifar-10-batches-bin and checks that. A download broken off is
/// continued; a wrong checksum is a DataError and leaves nothing behind under the final name. Returns the directory.
std::filesystem::path fetch_dataset(const std::filesystem::path& directory, const std::function<void(const std::string&)>& say);

/// MD5 of bytes, as 32 hexadecimal digits.
std::string md5_hex(const void* data, std::size_t size);

}  // namespace actsearch
