#include "evaluator/data/md5.h"

#include <md5.h>
#include <sys/types.h>  // which libmd's header takes for granted

#include <array>
#include <cstdint>
#include <string_view>

namespace actsearch {

struct Md5::Context {
  MD5_CTX state{};
};

Md5::Md5() : context_(std::make_unique<Context>()) { MD5Init(&context_->state); }
Md5::~Md5() = default;

void Md5::update(const void* data, std::size_t size) { MD5Update(&context_->state, static_cast<const std::uint8_t*>(data), size); }

std::string Md5::hex() const {
  MD5_CTX copy = context_->state;  // finishing a message pads it
  std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest{};
  MD5Final(digest.data(), &copy);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

std::string md5_hex(const void* data, std::size_t size) {
  Md5 md5;
  md5.update(data, size);
  return md5.hex();
}

}  // namespace actsearch
