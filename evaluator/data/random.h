/// Random numbers that are a pure function of a key and a counter: the same on every machine, in any order, on any thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

#include "grammar/hash.h"

namespace actsearch {

/// A hash of a sequence of words: hash(seed, epoch, index) and the like. The order of the words matters.
template <class... Words>
constexpr std::uint64_t hash(std::uint64_t first, Words... rest) {
  std::uint64_t state = mixed(first + kGoldenGamma);
  ((state = mixed((state ^ static_cast<std::uint64_t>(rest)) + kGoldenGamma)), ...);
  return state;
}

/// What a draw is for: the first word of its key, so that draws for different purposes never share a stream.
enum class Draw : std::uint64_t { kTransform = 1, kOrder, kSplit, kSyntheticLabels, kSyntheticImage, kWeights, kDropout };

/// The stream of one key: its i-th number is a function of (key, i). Copying forks it.
class RandomStream {
 public:
  explicit constexpr RandomStream(std::uint64_t key) : key_(key) {}
  /// The stream for a purpose: RandomStream(Draw::kOrder, seed, epoch).
  template <class... Words>
  explicit constexpr RandomStream(Draw purpose, Words... words) : key_(hash(static_cast<std::uint64_t>(purpose), words...)) {}

  constexpr std::uint64_t next() { return mixed(key_ + kGoldenGamma * ++counter_); }
  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Uniform in 0..bound-1, to within bound / 2^32.
  constexpr std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32); }
  /// Uniform in low..high, both included.
  constexpr int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::uint32_t>(high - low + 1))); }
  /// Standard normal, by Box and Muller: std::normal_distribution differs between standard libraries.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

/// Puts the elements in a uniformly random order (Fisher and Yates).
template <class T>
void shuffle(std::span<T> elements, RandomStream random) {
  for (std::size_t i = elements.size(); i > 1; --i) {
    std::swap(elements[i - 1], elements[random.below(static_cast<std::uint32_t>(i))]);
  }
}

}  // namespace actsearch
