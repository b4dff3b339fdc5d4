/// Drawings as SVG.
#pragma once

#include <string>

#include "search/chart/drawing.h"

namespace actsearch {

/// A whole SVG 1.1 document: text as text, which can be searched and copied, title and description for readers that speak, no script, no
/// reference to anything outside. Coordinates to a hundredth of a pixel. Whatever characters the drawing's texts hold, they stay text.
std::string to_svg(const Drawing& drawing);

}  // namespace actsearch
