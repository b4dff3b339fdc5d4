/// The 64-bit mixing function that permutations, fingerprints and random numbers are made of.
#pragma once

#include <cstdint>

namespace actsearch {

/// 2^64 divided by the golden ratio: steps by it spread evenly.
inline constexpr std::uint64_t kGoldenGamma = 0x9E3779B97F4A7C15u;

/// SplitMix64's finaliser: a bijection in which every input bit moves every output bit about half of the time.
constexpr std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30u)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27u)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31u);
}

}  // namespace actsearch
