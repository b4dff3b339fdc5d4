/// The shape of a data set's images: what a network, its augmentation and its kernels take from the data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace actsearch {

/// The class of an image, from 0.
using Label = std::uint16_t;

struct ImageShape {
  int channels = 0;                          ///< 1 (grey) or 3 (red, green, blue)
  int side = 0;                              ///< height and width in pixels, kLeastSide to kMostSide
  int classes = 0;                           ///< kLeastClasses to kMostClasses
  std::array<float, 3> mean{}, deviation{};  ///< of the training pixels, per channel, on the 0..255 scale; those of absent channels are 0

  static constexpr int kLeastSide = 8, kMostSide = 96, kLeastClasses = 2, kMostClasses = 1'000;

  constexpr std::size_t pixels() const { return static_cast<std::size_t>(side) * static_cast<std::size_t>(side); }
  /// Of one image: its channels' planes one after the other, each row by row.
  constexpr std::size_t bytes() const { return static_cast<std::size_t>(channels) * pixels(); }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// CIFAR-10's, which the drawn images share, and which recipes have before they are fitted to other data.
inline constexpr ImageShape kCifar10Shape{
    .channels = 3, .side = 32, .classes = 10, .mean = {125.307f, 122.950f, 113.865f}, .deviation = {62.993f, 62.089f, 66.705f}};

}  // namespace actsearch
