#include "evaluator/formats/pictures.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "evaluator/formats/files.h"

// After <cstdio>, which they need and do not include.
#include <jerror.h>
#include <jpeglib.h>

namespace actsearch {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void reject(const fs::path& file, const std::string& what) { throw DataError(quoted(file) + " " + what); }

constexpr std::size_t kMostPixels = 100'000'000;

/// The largest picture that is decoded, so that a small file cannot ask for all memory.
void require_moderate(const fs::path& file, std::size_t width, std::size_t height) {
  if (width == 0 || height == 0 || width > kMostPixels / height) {
    reject(file, "has " + std::to_string(width) + "x" + std::to_string(height) + " pixels, more than 100 million: make it smaller");
  }
}

/// Interleaved rows to planes.
Picture apart(int width, int height, int channels, const std::vector<std::uint8_t>& interleaved) {
  Picture picture{width, height, channels, std::vector<std::uint8_t>(interleaved.size())};
  const auto n = static_cast<std::size_t>(channels), plane = interleaved.size() / n;
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < n; ++c) picture.planes[c * plane + i] = interleaved[i * n + c];
  }
  return picture;
}

/// Whether a PNG file announces frames of an animation before its picture begins.
bool is_animated(const std::vector<std::uint8_t>& bytes) {
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t size =
        std::size_t{bytes[at]} << 24 | std::size_t{bytes[at + 1]} << 16 | std::size_t{bytes[at + 2]} << 8 | bytes[at + 3];
    const std::string_view kind(reinterpret_cast<const char*>(bytes.data()) + at + 4, 4);
    if (kind == "acTL") return true;
    if (kind == "IDAT" || size > bytes.size()) return false;
    at += 12 + size;
  }
  return false;
}

Picture read_png(const fs::path& file, const std::vector<std::uint8_t>& bytes) {
  if (is_animated(bytes)) reject(file, "is an animated PNG: keep one of its frames");
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0) {
    reject(file, std::string("is a damaged PNG (") + image.message + ")");
  }
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  if (image.width == 0 || image.height == 0 || image.width > kMostPixels / image.height) {
    png_image_free(&image);
    require_moderate(file, image.width, image.height);
  }
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  const png_color white{255, 255, 255};
  if (png_image_finish_read(&image, &white, pixels.data(), 0, nullptr) == 0) {
    reject(file, std::string("is a damaged PNG (") + image.message + ")");
  }
  return apart(static_cast<int>(image.width), static_cast<int>(image.height), colour ? 3 : 1, pixels);
}

/// libjpeg's errors come back by longjmp; a picture that ends too early or does not decode is a warning to it.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  bool damaged;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void jpeg_fails(j_common_ptr info) {
  auto* const errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->manager.format_message(info, errors->text);
  std::longjmp(errors->back, 1);
}

void jpeg_says(j_common_ptr info, int level) {
  auto* const errors = reinterpret_cast<JpegErrors*>(info->err);
  const int code = errors->manager.msg_code;
  if (level >= 0 || (code != JWRN_JPEG_EOF && code != JWRN_HIT_MARKER && code != JWRN_HUFF_BAD_CODE)) return;
  errors->damaged = true;
  errors->manager.format_message(info, errors->text);
}

enum class JpegEnd : std::uint8_t { kGood, kDamaged, kFourColours, kTooLarge };

/// Nothing in this frame has a destructor: longjmp leaves it.
JpegEnd decode_jpeg(const std::vector<std::uint8_t>& bytes, JpegErrors& errors, jpeg_decompress_struct& info,
                    std::vector<std::uint8_t>& pixels) {
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jpeg_fails;
  errors.manager.emit_message = jpeg_says;
  if (setjmp(errors.back) != 0) return JpegEnd::kDamaged;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&info, TRUE);
  if (info.num_components != 1 && info.num_components != 3) return JpegEnd::kFourColours;
  if (info.image_width > kMostPixels / std::max<std::size_t>(info.image_height, 1)) return JpegEnd::kTooLarge;
  info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info.dct_method = JDCT_ISLOW;  // whose bits are the same on every machine
  jpeg_start_decompress(&info);
  const std::size_t row = std::size_t{info.output_width} * static_cast<std::size_t>(info.output_components);
  pixels.resize(row * info.output_height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW at = pixels.data() + row * info.output_scanline;
    jpeg_read_scanlines(&info, &at, 1);
  }
  jpeg_finish_decompress(&info);
  return errors.damaged ? JpegEnd::kDamaged : JpegEnd::kGood;
}

Picture read_jpeg(const fs::path& file, const std::vector<std::uint8_t>& bytes) {
  JpegErrors errors;
  std::memset(&errors, 0, sizeof errors);
  jpeg_decompress_struct info;
  std::memset(&info, 0, sizeof info);
  std::vector<std::uint8_t> pixels;
  const JpegEnd end = decode_jpeg(bytes, errors, info, pixels);
  const auto width = info.image_width, height = info.image_height;
  const int channels = info.num_components;
  jpeg_destroy_decompress(&info);
  switch (end) {
    case JpegEnd::kGood:
      return apart(static_cast<int>(width), static_cast<int>(height), channels, pixels);
    case JpegEnd::kDamaged:
      reject(file, std::string("is a damaged JPEG (") + errors.text + ")");
    case JpegEnd::kFourColours:
      reject(file, "is a JPEG in CMYK: convert it to RGB");
    case JpegEnd::kTooLarge:
      require_moderate(file, width, height);
  }
  throw std::logic_error("read_jpeg: no such end");
}

bool begins_with(const std::vector<std::uint8_t>& bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

}  // namespace

Picture read_picture(const fs::path& file) {
  const std::vector<std::uint8_t> bytes = read_file(file);
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return read_png(file, bytes);
  if (begins_with(bytes, "\xff\xd8\xff")) return read_jpeg(file, bytes);
  if (begins_with(bytes, "GIF8")) reject(file, "is a GIF, which may be animated: convert it to PNG");
  if (bytes.empty()) reject(file, "is empty");
  reject(file, "is neither PNG nor JPEG");
}

}  // namespace actsearch
