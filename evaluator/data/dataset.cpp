#include "evaluator/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "evaluator/data/random.h"

namespace actsearch {

std::vector<std::size_t> class_counts(std::span<const Label> labels, int classes) {
  std::vector<std::size_t> counts(static_cast<std::size_t>(classes));
  for (const Label label : labels) ++counts.at(label);
  return counts;
}

ImageShape with_measured_pixels(ImageShape shape, const ImageSet& set) {
  const std::size_t plane = shape.pixels();
  shape.mean = shape.deviation = {};
  for (std::size_t channel = 0; channel < static_cast<std::size_t>(shape.channels); ++channel) {
    std::uint64_t sum = 0, squares = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
      for (const std::uint8_t pixel : set.image(i).subspan(channel * plane, plane)) {
        sum += pixel;
        squares += std::uint64_t{pixel} * pixel;
      }
    }
    const double n = static_cast<double>(std::max<std::size_t>(set.size(), 1) * plane), mean = static_cast<double>(sum) / n;
    const double deviation = std::sqrt(std::max(0.0, static_cast<double>(squares) / n - mean * mean));
    shape.mean[channel] = static_cast<float>(mean);
    shape.deviation[channel] = deviation > 0 ? static_cast<float>(deviation) : 1.0f;
  }
  return shape;
}

Split stratified_split(std::span<const Label> labels, std::size_t validation_size, std::size_t fold, std::size_t train_size) {
  constexpr std::uint64_t kSplitSeed = 45'000;  // part of every score's meaning: never changes
  if (validation_size > labels.size() || (validation_size > 0 && fold >= labels.size() / validation_size)) {
    throw std::invalid_argument("stratified_split: " + std::to_string(labels.size()) + " images have no fold " + std::to_string(fold) +
                                " of " + std::to_string(validation_size) + " that validate");
  }
  if (train_size > labels.size() - validation_size) {
    throw std::invalid_argument("stratified_split: " + std::to_string(labels.size() - validation_size) + " images are left to train, not " +
                                std::to_string(train_size));
  }
  // Dealt out in a random order, class by class in turn in proportion to their sizes: image k of a class of n stands at (k + 1/2) / n.
  std::vector<std::uint32_t> order(labels.size());
  std::iota(order.begin(), order.end(), 0u);
  shuffle(std::span(order), RandomStream(Draw::kSplit, kSplitSeed));
  const int classes = labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
  const std::vector<std::size_t> counts = class_counts(labels, classes);
  std::vector<std::size_t> seen(counts.size());
  std::vector<double> standing(labels.size());
  for (const std::uint32_t index : order) {
    const std::size_t label = labels[index];
    standing[index] = (static_cast<double>(seen[label]++) + 0.5) / static_cast<double>(counts[label]);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return std::pair(standing[a], labels[a]) < std::pair(standing[b], labels[b]); });

  // The fold's images come to the front.
  const auto size = static_cast<std::ptrdiff_t>(validation_size);
  const auto first = order.begin() + static_cast<std::ptrdiff_t>(fold) * size;
  std::rotate(order.begin(), first, first + size);
  const auto middle = order.begin() + size;
  const auto end = train_size > 0 ? middle + static_cast<std::ptrdiff_t>(train_size) : order.end();
  std::sort(order.begin(), middle);
  std::sort(middle, end);
  return {.train = {middle, end}, .validation = {order.begin(), middle}};
}

}  // namespace actsearch
