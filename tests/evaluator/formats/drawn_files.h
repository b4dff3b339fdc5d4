/// Small data sets that tests draw: directories in each format, pictures in PNG and JPEG.
#pragma once

#include <gtest/gtest.h>
#include <png.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "evaluator/data/resize.h"
#include "tests/evaluator/formats/data_error.h"

namespace actsearch {

/// A picture whose bytes follow from `seed`.
inline Picture picture(int width, int height, int channels, unsigned seed) {
  Picture drawn{width, height, channels, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * channels))};
  for (std::size_t i = 0; i < drawn.planes.size(); ++i) drawn.planes[i] = static_cast<std::uint8_t>(i * 7 + seed * 31 + i / 9);
  return drawn;
}

/// Pixel by pixel, as encoders read it.
inline std::vector<std::uint8_t> interleaved(const Picture& picture) {
  const auto channels = static_cast<std::size_t>(picture.channels), plane = picture.planes.size() / channels;
  std::vector<std::uint8_t> bytes(picture.planes.size());
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < channels; ++c) bytes[i * channels + c] = picture.planes[c * plane + i];
  }
  return bytes;
}
inline void write_png(const std::filesystem::path& file, const Picture& picture) {
  std::filesystem::create_directories(file.parent_path());
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : picture.channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  ASSERT_NE(png_image_write_to_file(&image, file.c_str(), 0, interleaved(picture).data(), 0, nullptr), 0);
}

/// An empty directory of its own for each test, which also holds the user's cache; both go afterwards.
class DrawnFiles : public testing::Test {
 protected:
  DrawnFiles() : root_(std::filesystem::temp_directory_path() / ("actsearch-drawn-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    setenv("XDG_CACHE_HOME", (root_ / "cache").c_str(), 1);
  }
  ~DrawnFiles() override {
    unsetenv("XDG_CACHE_HOME");
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  using Bytes = std::vector<std::uint8_t>;
  static void write(const std::filesystem::path& file, const Bytes& bytes) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  static Bytes read(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path root_;
};

/// Whether the message has the text in it.
inline testing::AssertionResult has(const std::string& message, const std::string& text) {
  if (message.find(text) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" is not in \"" << message << "\"";
}

}  // namespace actsearch
