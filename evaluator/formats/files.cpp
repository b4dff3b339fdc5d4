#include "evaluator/formats/files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "evaluator/data/dataset.h"
#include "evaluator/data/md5.h"

namespace actsearch {

std::string quoted(const std::filesystem::path& path) { return "\"" + path.string() + "\""; }

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes;
  std::vector<char> chunk(1 << 16);
  do {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + file.gcount());
  } while (file);
  if (!file.eof()) throw DataError(quoted(path) + " cannot be read: allow reading it, or give another copy");
  return bytes;
}

std::string md5_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> chunk(1 << 20);
  Md5 md5;
  do {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    md5.update(chunk.data(), static_cast<std::size_t>(file.gcount()));
  } while (file);
  if (!file.eof()) throw DataError(quoted(path) + " cannot be read");
  return md5.hex();
}

}  // namespace actsearch
