#include "evaluator/formats/folder_cache.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <type_traits>

#include "evaluator/data/md5.h"
#include "evaluator/formats/files.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "actsearch image folder 1\n";
constexpr std::size_t kDigestSize = 32;

/// Numbers in the machine's own order: a cache is of one machine.
class Writer {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes(&value, sizeof value);
  }
  void text(const std::string& value) {
    number(std::uint64_t{value.size()});
    bytes(value.data(), value.size());
  }
  template <class T>
  void list(const std::vector<T>& values) {
    number(std::uint64_t{values.size()});
    bytes(values.data(), values.size() * sizeof(T));
  }
  void bytes(const void* data, std::size_t size) { out.append(static_cast<const char*>(data), size); }
  std::string out;
};

/// Every read says whether there was as much.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  bool number(T& value) {
    return bytes(&value, sizeof value);
  }
  bool text(std::string& value) {
    std::uint64_t size = 0;
    if (!number(size) || size > rest_.size()) return false;
    value.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return true;
  }
  template <class T>
  bool list(std::vector<T>& values) {
    std::uint64_t size = 0;
    if (!number(size) || size > rest_.size() / sizeof(T)) return false;
    values.resize(size);
    return bytes(values.data(), size * sizeof(T));
  }
  bool bytes(void* out, std::size_t size) {
    if (size > rest_.size()) return false;
    if (size > 0) std::memcpy(out, rest_.data(), size);
    rest_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view rest_;
};

bool read_set(Reader& reader, const ImageShape& shape, ImageSet& set) {
  return reader.list(set.labels) && reader.list(set.pixels) && set.pixels.size() == set.labels.size() * shape.bytes();
}

}  // namespace

fs::path default_image_cache() {
  if (const char* place = std::getenv("XDG_CACHE_HOME"); place != nullptr && *place == '/') return fs::path(place) / "actsearch" / "images";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".cache" / "actsearch" / "images";
  return {};
}

std::optional<DecodedFolder> read_cached(const fs::path& cache, const std::string& key) {
  const fs::path file = cache / key;
  std::error_code error;
  if (cache.empty() || !fs::is_regular_file(file, error)) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  try {
    bytes = read_file(file);
  } catch (const DataError&) {
    return std::nullopt;  // made anew
  }
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (all.size() < kMagic.size() + kDigestSize || !all.starts_with(kMagic)) return std::nullopt;
  const std::string_view body = all.substr(0, all.size() - kDigestSize);
  if (md5_hex(body.data(), body.size()) != all.substr(body.size())) return std::nullopt;
  Reader reader(body.substr(kMagic.size()));
  DecodedFolder decoded;
  Dataset& dataset = decoded.dataset;
  std::uint64_t skipped = 0;
  bool whole = reader.text(dataset.name) && reader.text(dataset.source) && reader.number(dataset.shape) &&
               read_set(reader, dataset.shape, dataset.train) && read_set(reader, dataset.shape, dataset.test) && reader.number(skipped);
  for (std::uint64_t i = 0; whole && i < skipped; ++i) whole = reader.text(decoded.skipped.emplace_back());
  if (!whole) return std::nullopt;
  return decoded;
}

void write_cached(const fs::path& cache, const std::string& key, const DecodedFolder& decoded) {
  Writer writer;
  writer.bytes(kMagic.data(), kMagic.size());
  writer.text(decoded.dataset.name);
  writer.text(decoded.dataset.source);
  writer.number(decoded.dataset.shape);
  for (const ImageSet* set : {&decoded.dataset.train, &decoded.dataset.test}) {
    writer.list(set->labels);
    writer.list(set->pixels);
  }
  writer.number(std::uint64_t{decoded.skipped.size()});
  for (const std::string& message : decoded.skipped) writer.text(message);
  writer.out += md5_hex(writer.out.data(), writer.out.size());
  fs::create_directories(cache);
  const fs::path temporary = cache / (key + "." + std::to_string(getpid()) + ".new");
  std::ofstream file(temporary, std::ios::binary);
  file.write(writer.out.data(), static_cast<std::streamsize>(writer.out.size()));
  file.close();
  if (!file) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw DataError(quoted(temporary) + " cannot be written");
  }
  fs::rename(temporary, cache / key);
}

}  // namespace actsearch
