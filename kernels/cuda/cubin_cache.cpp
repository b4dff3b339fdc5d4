#include "kernels/cuda/cubin_cache.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace actsearch {
namespace {

/// FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo).
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return hash;
}

std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

std::optional<std::string> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  return bytes;
}

/// Under a name that no other thread or process uses, then renamed. False if that failed; nothing is left then.
bool replace(const std::filesystem::path& path, std::string_view bytes) {
  static std::atomic<unsigned> count{0};
  std::filesystem::path temporary = path;
  temporary += "." + std::to_string(getpid()) + "-" + std::to_string(count++);
  std::error_code error;
  {
    std::ofstream file(temporary, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.flush();
    if (!file) {
      std::filesystem::remove(temporary, error);
      return false;
    }
  }
  std::filesystem::rename(temporary, path, error);
  if (!error) return true;
  std::filesystem::remove(temporary, error);
  return false;
}

}  // namespace

CubinCache::CubinCache(std::filesystem::path folder, std::uintmax_t bound) : folder_(std::move(folder)), bound_(bound) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (!std::filesystem::is_directory(folder_)) {
    throw std::runtime_error(folder_.string() + ": not a folder for compiled kernels" + (error ? ": " + error.message() : ""));
  }
}

std::filesystem::path CubinCache::default_folder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache) return std::filesystem::path(cache) / "actsearch" / "cubin";
  const char* const home = std::getenv("HOME");
  return std::filesystem::path(home && *home ? home : ".") / ".cache" / "actsearch" / "cubin";
}

CubinCache::Entry CubinCache::get(const Nvrtc& nvrtc, const std::string& source, const std::string& architecture) const {
  const std::string wanted = "// " + architecture + ", " + Nvrtc::options() + ", NVRTC " + nvrtc.version() + "\n" + source;
  const std::filesystem::path stem = folder_ / hexadecimal(checksum(wanted));
  std::filesystem::path text = stem, binary = stem;
  text += ".cu";
  binary += ".cubin";

  if (read(text) == wanted) {
    auto stored = read(binary);
    if (stored && stored->size() > sizeof(std::uint64_t)) {
      std::uint64_t expected = 0;
      const std::size_t size = stored->size() - sizeof expected;
      std::memcpy(&expected, stored->data() + size, sizeof expected);
      stored->resize(size);
      if (checksum(*stored) == expected) {
        std::error_code ignored;  // a folder that cannot be written has no order
        std::filesystem::last_write_time(binary, std::filesystem::file_time_type::clock::now(), ignored);
        return {std::move(*stored), false};
      }
    }
  }
  Entry entry{nvrtc.compile(source, architecture).cubin, true};
  const std::uint64_t sum = checksum(entry.cubin);
  std::string stored = entry.cubin;
  stored.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  // A cubin of a colliding key must not be found beside this source: the source goes first and comes last.
  std::error_code error;
  if (read(text) != wanted) std::filesystem::remove(text, error);
  if (replace(binary, stored)) replace(text, wanted);
  static std::atomic<unsigned> written{0};
  constexpr unsigned kSeldom = 64;  // for it reads the whole folder
  if (written++ % kSeldom == 0) prune();
  return entry;
}

void CubinCache::prune() const {
  struct File {
    std::filesystem::file_time_type used;
    std::uintmax_t size = 0;
    std::filesystem::path path;
  };
  std::vector<File> files;
  std::uintmax_t all = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;  // another process prunes, too
    const File file{entry->last_write_time(gone), entry->file_size(gone), entry->path()};
    if (gone) continue;
    all += file.size;
    files.push_back(file);
  }
  if (all <= bound_) return;
  // A binary is touched by each use and its source is not: they go by the younger of the two, so together.
  std::map<std::string, std::filesystem::file_time_type> used;
  for (const File& file : files) {
    auto& latest = used.try_emplace(file.path.stem().string(), file.used).first->second;
    latest = std::max(latest, file.used);
  }
  const auto key = [&](const File& file) { return std::pair(used.at(file.path.stem().string()), file.path); };
  std::sort(files.begin(), files.end(), [&](const File& a, const File& b) { return key(a) < key(b); });
  std::string last;
  for (const File& file : files) {
    if (all <= bound_ / 2 && file.path.stem() != last) return;
    last = file.path.stem().string();
    std::error_code ignored;
    std::filesystem::remove(file.path, ignored);
    all -= file.size;
  }
}

}  // namespace actsearch
