/// MD5 (RFC 1321) of a stream of bytes: recognises files, protects against nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace actsearch {

class Md5 {
 public:
  /// Appends bytes to the message.
  void update(const void* data, std::size_t size);
  /// The digest of everything so far, as 32 hexadecimal digits. The message can go on afterwards.
  std::string hex() const;

 private:
  static constexpr std::size_t kBlock = 64;
  void consume(const std::uint8_t* block);

  std::array<std::uint32_t, 4> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  std::array<std::uint8_t, kBlock> pending_{};  ///< the first length_ % kBlock bytes are filled
  std::uint64_t length_ = 0;                    ///< bytes
};

/// MD5 of bytes, as 32 hexadecimal digits.
std::string md5_hex(const void* data, std::size_t size);

}  // namespace actsearch
