/// Finding and fetching the data set: the directory given, the environment, the usual place, or a download.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/data/dataset.h"
#include "evaluator/formats/cifar10.h"
#include "evaluator/formats/format.h"

namespace actsearch {

/// MD5 of each of kBatchFiles, in their order.
using BatchSums = std::array<std::string_view, kBatchFiles.size()>;
/// Of the files in the archive as it is published.
inline constexpr BatchSums kPublishedSums{"5dd7e06a14cb22eb9f671a540d1b7c25", "5ea93a67294ea407fff1d09f752e9692",
                                          "942cd6a4bcdd0dd3c604fbe906cb4421", "ae636b3ba5c66a11e91e8cb52e771fcb",
                                          "53f37980c15c3d472c316c40844f3f0d", "803d5f7f4d78ea53de84dbe85f74fb6d"};

/// What `data check DIR` reports, in lines that end in a newline: the directory, its files and the MD5 of all. A file has its size, its
/// labels per class, its MD5, and "as published" or "altered". Of other formats: the shape, the images of each class, and the source.
/// DataError if load_dataset would refuse the directory.
std::string check_dataset(const std::filesystem::path& directory, const BatchSums& published = kPublishedSums,
                          const LoadOptions& loading = {});

/// An archive to download: a gzipped tar that holds `folder`.
struct Archive {
  std::string url;
  std::string md5;  ///< of the archive's bytes
  std::string name = "CIFAR-10", file = "cifar-10-binary.tar.gz", folder = "cifar-10-batches-bin";
};
inline const Archive kOfficialArchive{"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"};
inline const Archive kCifar100Archive{"https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8",
                                      "CIFAR-100", "cifar-100-binary.tar.gz", "cifar-100-binary"};

/// Fetches the archive into `directory`, which it creates if need be, and returns the archive's folder in it. The curl program
/// downloads and shows its progress; the tar program unpacks. The folder appears only when checksum and files are right. A folder that
/// exists is checked, and nothing is downloaded. An archive that the user put into `directory` is used and kept. The next call continues
/// a broken download. A wrong checksum is a DataError, and the download is deleted.
std::filesystem::path fetch_dataset(const std::filesystem::path& directory, const std::function<void(const std::string&)>& say,
                                    const Archive& archive = kOfficialArchive);

/// The data set, first found wins: `requested` (--data), $ACTSEARCH_DATA, data/cifar-10-batches-bin below the working directory, the
/// archive (fetched to there). The first two are a directory of any format (format.h), or "synthetic" for drawn images. "synthetic:N" has N
/// training and N/5 test images (10 <= N <= 1,000,000). Nothing falls back silently. A DataError is: a requested directory without the
/// files, an incomplete data/cifar-10-batches-bin, and a failed download. The last says what was tried and what to do, and leaves no
/// directory behind. `say` receives plain lines: which data set is used, and why. `loading` says how it is read.
Dataset find_dataset(const std::optional<std::string>& requested, const std::function<void(const std::string&)>& say,
                     const Archive& archive = kOfficialArchive, LoadOptions loading = {});

namespace detail {
/// Runs a program found on PATH, without a shell, and waits for it. Its standard output goes to standard error. Returns its exit
/// status: 128 + n if signal n ended it, 127 if there is no such program. DataError if it cannot be started for another reason.
int run_program(const std::vector<std::string>& arguments);
}  // namespace detail

}  // namespace actsearch
