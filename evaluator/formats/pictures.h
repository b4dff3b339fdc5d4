/// PNG and JPEG files to pixels, through libpng and libjpeg.
#pragma once

#include <filesystem>

#include "evaluator/data/resize.h"

namespace actsearch {

/// The picture: one channel where the file is grey, else three. Transparent parts are laid on white, and 16 bits become 8. The orientation
/// in EXIF is ignored. DataError for what is neither PNG nor JPEG, is animated, damaged, cut off, in CMYK, or has more than 100 million
/// pixels. Its message begins with the file.
Picture read_picture(const std::filesystem::path& file);

}  // namespace actsearch
