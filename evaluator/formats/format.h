/// The formats of data sets on disk: one table, a row a format, and what reads a directory of any of them.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/data/dataset.h"

namespace actsearch {

struct LoadOptions {
  std::optional<int> side;                      ///< wanted of every image; absent: the format's own
  bool skip_unreadable = false;                 ///< leave out pictures that cannot be read, and say which, instead of refusing the folder
  std::filesystem::path cache;                  ///< a folder for what was decoded; empty: the user's (folder_cache.h)
  std::function<void(const std::string&)> say;  ///< receives plain lines; may be empty
};

struct DataFormat {
  std::string_view name;   ///< Dataset::name
  std::string_view holds;  ///< what a directory of this format has in it, for people
  bool (*recognises)(const std::filesystem::path& directory);
  /// DataError where the directory is not a whole data set of the format.
  Dataset (*load)(const std::filesystem::path& directory, const LoadOptions& options);
};

/// In the order in which they are asked.
const std::vector<DataFormat>& data_formats();

/// The directory's data set, in the first format that recognises it, at the wanted side. DataError if there is none, if it is not whole, or
/// if its shape is none that networks take (ImageShape).
Dataset load_dataset(const std::filesystem::path& directory, const LoadOptions& options = {});

}  // namespace actsearch
