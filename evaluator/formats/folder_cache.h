/// What was decoded of an image folder, kept as one file, so that each picture is decoded once.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/data/dataset.h"

namespace actsearch {

/// $XDG_CACHE_HOME/actsearch/images, else ~/.cache/actsearch/images; empty where neither is known.
std::filesystem::path default_image_cache();

/// What the cache keeps beside the images.
struct DecodedFolder {
  Dataset dataset;
  std::vector<std::string> skipped;  ///< messages of the pictures that were left out
};

/// What is kept under the key; absent where nothing is, or where the file is damaged.
std::optional<DecodedFolder> read_cached(const std::filesystem::path& cache, const std::string& key);

/// Keeps it, under a temporary name first. std::filesystem::filesystem_error or DataError where it cannot be written.
void write_cached(const std::filesystem::path& cache, const std::string& key, const DecodedFolder& decoded);

}  // namespace actsearch
