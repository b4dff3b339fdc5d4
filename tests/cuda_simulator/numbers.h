/// The number types that cuDNN and cuBLASLt are simulated for, read and written as floats.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace cuda_simulator {

enum class Number { kFloat, kBf16 };

inline std::size_t bytes_of(Number type) { return type == Number::kFloat ? 4 : 2; }

inline float load(const void* data, Number type, std::size_t place) {
  if (type == Number::kFloat) return static_cast<const float*>(data)[place];
  return std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<const std::uint16_t*>(data)[place]) << 16);
}

/// Rounds to nearest, ties to even; NaN stays one.
inline void store(void* data, Number type, std::size_t place, float value) {
  if (type == Number::kFloat) {
    static_cast<float*>(data)[place] = value;
    return;
  }
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = value != value ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  static_cast<std::uint16_t*>(data)[place] = static_cast<std::uint16_t>(rounded);
}

}  // namespace cuda_simulator
