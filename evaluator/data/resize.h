/// Pictures of any size to squares of a given side, in integers: the same bytes on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "evaluator/data/dataset.h"

namespace actsearch {

/// A picture as its decoder gives it.
struct Picture {
  int width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> planes;  ///< channels × height × width: planes one after the other, row by row
};

/// The middle square of the picture at side × side, planes as before. Along each axis a smaller side takes the mean over each pixel's
/// area, a larger one is linear between pixel centres. Values are rounded to nearest. An empty picture is std::invalid_argument.
std::vector<std::uint8_t> squared(const Picture& picture, int side);

/// Every image of the data set at another side; `source` says so, and mean and deviation are measured anew.
Dataset resized(Dataset dataset, int side);

}  // namespace actsearch
