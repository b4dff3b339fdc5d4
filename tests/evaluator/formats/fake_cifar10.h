/// A directory with the shape of CIFAR-10 for tests: the six files with right sizes and labels, and images that mean nothing.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "evaluator/formats/cifar10.h"
#include "tests/evaluator/formats/data_error.h"

namespace actsearch {

inline constexpr std::size_t kImageBytes = kCifar10Shape.bytes();
inline constexpr std::size_t kClasses = kCifar10Shape.classes;

/// Whether the message has the text in it.
inline testing::AssertionResult contains(const std::string& message, const std::string& text) {
  if (message.find(text) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" is not in \"" << message << "\"";
}

/// Makes an empty directory of its own for each test, and removes it afterwards.
class FakeCifar10 : public testing::Test {
 protected:
  FakeCifar10() : root_(std::filesystem::temp_directory_path() / ("actsearch-test-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~FakeCifar10() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  /// Record i has label i mod 10, and the bytes of its image follow from i.
  static std::uint8_t label_of(std::size_t record) { return static_cast<std::uint8_t>(record % kClasses); }
  static std::uint8_t byte_of(std::size_t record, std::size_t place) { return static_cast<std::uint8_t>(record * 31 + place * 7); }
  static std::vector<char> batch_bytes() {
    std::vector<char> bytes(kBatchRecords * kRecordBytes);
    char* out = bytes.data();
    for (std::size_t record = 0; record < kBatchRecords; ++record) {
      *out++ = static_cast<char>(label_of(record));
      for (std::size_t place = 0; place < kImageBytes; ++place) *out++ = static_cast<char>(byte_of(record, place));
    }
    return bytes;
  }

  /// A whole data set: one file's content under the six names (hard links: 31 MB on disk instead of 184).
  std::filesystem::path make_directory(const std::filesystem::path& name) const {
    std::filesystem::path directory = root_ / name;
    std::filesystem::create_directories(directory);
    const std::filesystem::path first = directory / kBatchFiles[0];
    write(first, batch_bytes());
    for (std::size_t i = 1; i < kBatchFiles.size(); ++i) std::filesystem::create_hard_link(first, directory / kBatchFiles[i]);
    return directory;
  }

  static void write(const std::filesystem::path& file, const std::vector<char>& bytes) {
    std::filesystem::remove(file);  // so that a hard link's other names keep their content
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  std::filesystem::path root_;
};

}  // namespace actsearch
