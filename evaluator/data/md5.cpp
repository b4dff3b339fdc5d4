#include "evaluator/data/md5.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace actsearch {
namespace {

/// floor(2^32 · |sin(i + 1)|), as RFC 1321 tabulates it.
constexpr std::array<std::uint32_t, 64> kSines{
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
    0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
    0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
    0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
    0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
    0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

struct Registers {
  std::uint32_t a, b, c, d;
};

/// One of the four rounds: 16 steps that mix in the words in the order (first + i · stride) mod 16, `mixer` being F, G, H or I.
template <int round, int first, int stride, class Mixer>
inline void run_round(Registers& r, const std::uint32_t* words, const std::array<int, 4>& shifts, Mixer mixer) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t sum = r.a + mixer(r.b, r.c, r.d) + words[(first + i * stride) % 16] + kSines[round * 16 + i];
    r = {r.d, r.b + std::rotl(sum, shifts[i % 4]), r.b, r.c};
  }
}

std::uint32_t load_little_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24;
}

}  // namespace

void Md5::consume(const std::uint8_t* block) {
  std::uint32_t words[16];
  for (int i = 0; i < 16; ++i) words[i] = load_little_endian(block + 4 * i);
  using Word = std::uint32_t;
  Registers r{state_[0], state_[1], state_[2], state_[3]};
  run_round<0, 0, 1>(r, words, {7, 12, 17, 22}, [](Word x, Word y, Word z) { return z ^ (x & (y ^ z)); });
  run_round<1, 1, 5>(r, words, {5, 9, 14, 20}, [](Word x, Word y, Word z) { return (x & z) + (y & ~z); });
  run_round<2, 5, 3>(r, words, {4, 11, 16, 23}, [](Word x, Word y, Word z) { return x ^ y ^ z; });
  run_round<3, 0, 7>(r, words, {6, 10, 15, 21}, [](Word x, Word y, Word z) { return y ^ (x | ~z); });
  state_[0] += r.a;
  state_[1] += r.b;
  state_[2] += r.c;
  state_[3] += r.d;
}

void Md5::update(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  const std::size_t filled = length_ % kBlock;
  length_ += size;
  if (filled != 0) {
    const std::size_t taken = std::min(size, kBlock - filled);
    std::copy_n(bytes, taken, pending_.begin() + static_cast<std::ptrdiff_t>(filled));
    if (filled + taken < kBlock) return;
    consume(pending_.data());
    bytes += taken;
    size -= taken;
  }
  for (; size >= kBlock; bytes += kBlock, size -= kBlock) consume(bytes);
  std::copy_n(bytes, size, pending_.begin());
}

std::string Md5::hex() const {
  Md5 finished = *this;
  const std::uint64_t bits = length_ * 8;
  const std::array<std::uint8_t, kBlock> padding{0x80};
  finished.update(padding.data(), 1 + (kBlock + 55 - length_ % kBlock) % kBlock);
  std::array<std::uint8_t, 8> length_bytes;
  for (std::size_t i = 0; i < 8; ++i) length_bytes[i] = static_cast<std::uint8_t>(bits >> (8 * i));
  finished.update(length_bytes.data(), length_bytes.size());

  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::uint32_t word : finished.state_) {
    for (int i = 0; i < 4; ++i, word >>= 8) {
      text += kDigits[word >> 4 & 15];
      text += kDigits[word & 15];
    }
  }
  return text;
}

std::string md5_hex(const void* data, std::size_t size) {
  Md5 md5;
  md5.update(data, size);
  return md5.hex();
}

}  // namespace actsearch
