#include "evaluator/data/resize.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace actsearch {
namespace {

/// One output value as a weighted sum of a run of inputs. Weights of an axis are integers that sum to `total`.
struct Taps {
  int first = 0;
  std::vector<std::int64_t> weights;
};
struct Axis {
  std::vector<Taps> taps;
  std::int64_t total = 0;
};

/// Output i covers [i·from, (i + 1)·from) where input k covers [k·to, (k + 1)·to).
Axis by_area(int from, int to) {
  Axis axis{.taps = {}, .total = from};
  for (int i = 0; i < to; ++i) {
    const std::int64_t begin = std::int64_t{i} * from, end = begin + from;
    Taps taps{.first = static_cast<int>(begin / to), .weights = {}};
    for (std::int64_t k = taps.first; k * to < end; ++k) taps.weights.push_back(std::min(end, (k + 1) * to) - std::max(begin, k * to));
    axis.taps.push_back(std::move(taps));
  }
  return axis;
}

/// Output i has its centre at ((2i + 1)·from - to) / (2·to) where input k has it at k; beyond the outer centres the outer value holds.
Axis linear(int from, int to) {
  Axis axis{.taps = {}, .total = 2 * std::int64_t{to}};
  for (int i = 0; i < to; ++i) {
    const std::int64_t at = std::clamp<std::int64_t>((2 * std::int64_t{i} + 1) * from - to, 0, axis.total * (from - 1));
    const std::int64_t below = at / axis.total, rest = at % axis.total;
    Taps taps{.first = static_cast<int>(below), .weights = {axis.total - rest}};
    if (rest > 0) taps.weights.push_back(rest);
    axis.taps.push_back(std::move(taps));
  }
  return axis;
}

}  // namespace

std::vector<std::uint8_t> squared(const Picture& picture, int side) {
  const int from = std::min(picture.width, picture.height), left = (picture.width - from) / 2, top = (picture.height - from) / 2;
  if (from < 1 || side < 1) throw std::invalid_argument("squared: an empty picture");
  const Axis axis = from >= side ? by_area(from, side) : linear(from, side);
  const auto width = static_cast<std::size_t>(picture.width), plane = width * static_cast<std::size_t>(picture.height);
  std::vector<std::uint8_t> result;
  result.reserve(static_cast<std::size_t>(picture.channels) * static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(from) * static_cast<std::size_t>(side));  // narrowed, not yet lowered
  for (std::size_t channel = 0; channel < static_cast<std::size_t>(picture.channels); ++channel) {
    for (int r = 0; r < from; ++r) {
      const std::uint8_t* const row =
          picture.planes.data() + channel * plane + static_cast<std::size_t>(top + r) * width + static_cast<std::size_t>(left);
      for (int c = 0; c < side; ++c) {
        const Taps& taps = axis.taps[static_cast<std::size_t>(c)];
        std::int64_t sum = 0;
        for (std::size_t k = 0; k < taps.weights.size(); ++k) sum += taps.weights[k] * row[static_cast<std::size_t>(taps.first) + k];
        rows[static_cast<std::size_t>(r) * static_cast<std::size_t>(side) + static_cast<std::size_t>(c)] = sum;
      }
    }
    const std::int64_t total = axis.total * axis.total;
    for (int r = 0; r < side; ++r) {
      const Taps& taps = axis.taps[static_cast<std::size_t>(r)];
      for (int c = 0; c < side; ++c) {
        std::int64_t sum = total / 2;
        for (std::size_t k = 0; k < taps.weights.size(); ++k) {
          sum += taps.weights[k] *
                 rows[(static_cast<std::size_t>(taps.first) + k) * static_cast<std::size_t>(side) + static_cast<std::size_t>(c)];
        }
        result.push_back(static_cast<std::uint8_t>(sum / total));
      }
    }
  }
  return result;
}

Dataset resized(Dataset dataset, int side) {
  const int before = dataset.shape.side;
  if (side == before) return dataset;
  for (ImageSet* set : {&dataset.train, &dataset.test}) {
    std::vector<std::uint8_t> pixels;
    for (std::size_t i = 0; i < set->size(); ++i) {
      const auto image = set->image(i);
      const std::vector<std::uint8_t> small = squared({before, before, dataset.shape.channels, {image.begin(), image.end()}}, side);
      pixels.insert(pixels.end(), small.begin(), small.end());
    }
    set->pixels = std::move(pixels);
  }
  dataset.shape.side = side;
  dataset.shape = with_measured_pixels(dataset.shape, dataset.train);
  dataset.source += ", resized to " + std::to_string(side) + "x" + std::to_string(side);
  return dataset;
}

}  // namespace actsearch
