/// How tensors are stored: fp32, or bf16.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace actsearch {

enum class Storage : std::uint8_t { kFp32, kBf16 };
inline std::size_t storage_bytes(Storage storage) { return storage == Storage::kFp32 ? 4 : 2; }

/// bf16: the upper half of a float, rounded to nearest even; NaN stays NaN.
struct Bf16 {
  std::uint16_t bits = 0;
  Bf16() = default;
  explicit Bf16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    bits = static_cast<std::uint16_t>(std::isnan(value) ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace actsearch
