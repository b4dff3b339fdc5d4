/// MD5 (RFC 1321) of a stream of bytes, by libmd: recognises files, protects against nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace actsearch {

class Md5 {
 public:
  Md5();
  ~Md5();
  /// Appends bytes to the message.
  void update(const void* data, std::size_t size);
  /// The digest of everything so far, as 32 hexadecimal digits. The message can go on afterwards.
  std::string hex() const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// MD5 of bytes, as 32 hexadecimal digits.
std::string md5_hex(const void* data, std::size_t size);

}  // namespace actsearch
