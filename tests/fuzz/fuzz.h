/// What the fuzzers of this folder share. Each has one entry, LLVMFuzzerTestOneInput, which returns for whatever bytes: it aborts, hangs
/// or trips a sanitizer where the code does something wrong.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace actsearch::fuzz {

/// Says what does not hold, and aborts.
inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what.c_str());
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// A directory of this process alone, in memory where there is such a place; gone with the process.
class Directory {
 public:
  Directory() {
    const std::filesystem::path memory = "/dev/shm";
    std::string name =
        ((std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path()) / "actsearch-fuzz-XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace actsearch::fuzz
