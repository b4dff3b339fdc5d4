/// A folder of class folders of PNG or JPEG pictures.
#pragma once

#include <filesystem>

#include "evaluator/formats/format.h"

namespace actsearch {

/// The side where LoadOptions::side does not say another.
inline constexpr int kFolderSide = 32;

/// Whether the directory has a folder in it.
bool is_image_folder(const std::filesystem::path& directory);

/// Classes are the folders below `directory`, or below train/ in it, in the order of their names' bytes. Pictures are all files in them, at
/// any depth, but hidden ones. With train/ the test images are those of test/, else of val/. Without either, every sixth picture tests, the
/// same share of each class (stratified_split). Each picture's middle square is resized (squared). All are grey, or all in colour. What was
/// decoded is kept in a cache (folder_cache.h). `source` states the MD5 of the shape, the names of the classes, the labels and the pixels.
///
/// DataError: fewer than two classes, a class without pictures, or a class of test/ that train/ does not have. Also a picture that cannot
/// be read (unless skip_unreadable), and grey among colour.
Dataset load_image_folder(const std::filesystem::path& directory, const LoadOptions& options);

}  // namespace actsearch
