/// Drawings as PNG, through cairo. A build without cairo (ACTSEARCH_PNG=OFF: that of scripts/bundle.sh) has search/chart/png_absent.cpp in
/// its place.
#pragma once

#include <stdexcept>
#include <string>

#include "search/chart/drawing.h"

namespace actsearch {

/// This build or this machine cannot draw PNG; the message says what is missing.
class PngUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr int kPngScale = 2;  ///< pixels of the file, in each direction, to a pixel of the drawing

/// The bytes of a PNG file, 24-bit colour. Text is in DejaVu Sans, which comes with Debian's fontconfig, italics are slanted by hand: the
/// picture does not depend on what else is installed. PngUnavailable without that font, or in a build without cairo.
std::string to_png(const Drawing& drawing);

}  // namespace actsearch
