/// A data set in memory: uint8 images, held once and shared by all trials, and what of them trains and validates.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluator/data/image_shape.h"

namespace actsearch {

/// A file or directory that is not the data set it should be; the message names the file, what is wrong and the mend.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Images and their labels, in file order.
struct ImageSet {
  std::vector<std::uint8_t> pixels;  ///< size() images of ImageShape::bytes() each
  std::vector<Label> labels;         ///< size(), each below ImageShape::classes
  std::size_t size() const { return labels.size(); }
  std::size_t image_bytes() const { return labels.empty() ? 0 : pixels.size() / labels.size(); }
  std::span<const std::uint8_t> image(std::size_t i) const { return {pixels.data() + i * image_bytes(), image_bytes()}; }
};

struct Dataset {
  std::string name;    ///< of its format: "cifar10", "folder", … or "synthetic"
  std::string source;  ///< for people and for the record of every trial: what it is and its checksum or seed. It names no path:
                       ///< the same images in another place are the same data
  ImageShape shape;
  ImageSet train;  ///< of which some validate
  ImageSet test;
};

/// Images of each of `classes` classes. std::out_of_range for a label that is not below `classes`.
std::vector<std::size_t> class_counts(std::span<const Label> labels, int classes);

/// The shape's mean and deviation measured on the set's pixels, whose sums are exact. A channel without any deviation gets 1.
ImageShape with_measured_pixels(ImageShape shape, const ImageSet& set);

/// Ten classes of procedurally drawn coloured shapes and textures, a pure function of the seed and the sizes.
Dataset make_synthetic(std::uint64_t seed = 1, std::size_t train_size = 50'000, std::size_t test_size = 10'000);

/// Indices into a training set: what trains and what validates. Together each index at most once.
struct Split {
  std::vector<std::uint32_t> train;
  std::vector<std::uint32_t> validation;
};
/// A stratified split: `validation_size` images validate, the same number of every class where it divides. A fixed seed chooses them, so
/// the split is the same for every trial and machine. Both lists ascend. Different folds share no validation image. With validation_size =
/// 0 everything trains. With a `train_size` only so many images train, stratified too; a smaller set is part of every larger one. The other
/// images are in neither list. std::invalid_argument if there are too few images for fold + 1 validation sets, or for `train_size`.
Split stratified_split(std::span<const Label> labels, std::size_t validation_size = 5'000, std::size_t fold = 0,
                       std::size_t train_size = 0);

}  // namespace actsearch
