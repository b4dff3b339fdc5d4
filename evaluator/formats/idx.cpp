#include "evaluator/formats/idx.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "evaluator/data/md5.h"
#include "evaluator/formats/files.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void reject(const fs::path& path, const std::string& what) {
  throw DataError(quoted(path) + " " + what + "; put a whole copy of the file there");
}

/// The file of that name, or the one with .gz behind it.
fs::path find_file(const fs::path& directory, const std::string& name) {
  std::error_code ignored;
  const fs::path plain = directory / name, packed = directory / (name + ".gz");
  return fs::exists(plain, ignored) || !fs::exists(packed, ignored) ? plain : packed;
}

/// The file's bytes, unpacked where they are packed.
std::vector<std::uint8_t> read_unpacked(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) reject(path, "is missing, and so is the one with .gz");
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) reject(path, "cannot be opened for reading");
  std::vector<std::uint8_t> bytes, chunk(1 << 18);
  for (;;) {
    const int read = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    if (read > 0) bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + read);
    int error = Z_OK;
    const char* const what = gzerror(file.get(), &error);
    if (read < 0 || (error != Z_OK && error != Z_STREAM_END)) {
      reject(path,
             error == Z_BUF_ERROR ? "is truncated: its compressed data end too early" : std::string("cannot be unpacked (") + what + ")");
    }
    if (read == 0) return bytes;
  }
}

std::size_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  return std::size_t{bytes[at]} << 24 | std::size_t{bytes[at + 1]} << 16 | std::size_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

/// What follows the header of an IDX file of unsigned bytes with so many dimensions.
struct Idx {
  std::vector<std::size_t> dimensions;
  std::vector<std::uint8_t> bytes;
};

Idx read_idx(const fs::path& path, std::size_t dimensions, Md5& md5) {
  constexpr std::uint8_t kUnsignedByte = 8;
  std::vector<std::uint8_t> bytes = read_unpacked(path);
  md5.update(bytes.data(), bytes.size());
  const std::size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header) reject(path, "is truncated: " + std::to_string(bytes.size()) + " bytes are less than its header");
  if (bytes[0] != 0 || bytes[1] != 0 || bytes[2] != kUnsignedByte || bytes[3] != dimensions) {
    reject(path, "is no IDX file of unsigned bytes with " + std::to_string(dimensions) + (dimensions == 1 ? " dimension" : " dimensions"));
  }
  Idx idx;
  std::size_t expected = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    constexpr std::size_t kMost = std::size_t{1} << 40;
    idx.dimensions.push_back(big_endian(bytes, 4 + 4 * i));
    if (idx.dimensions.back() > kMost / std::max<std::size_t>(expected, 1))
      reject(path, "has a header that says more than a file can hold");
    expected *= idx.dimensions.back();
  }
  if (bytes.size() - header != expected) {
    reject(path, std::string(bytes.size() - header < expected ? "is truncated: " : "is too long: ") + std::to_string(bytes.size()) +
                     " bytes instead of " + std::to_string(header + expected));
  }
  idx.bytes.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return idx;
}

struct Read {
  ImageSet set;
  int side = 0;
};

Read read_set(const fs::path& directory, const std::string& which, Md5& md5) {
  const fs::path image_file = find_file(directory, which + "-images-idx3-ubyte"),
                 label_file = find_file(directory, which + "-labels-idx1-ubyte");
  Idx images = read_idx(image_file, 3, md5);
  const Idx labels = read_idx(label_file, 1, md5);
  if (images.dimensions[0] == 0) reject(image_file, "has no images");
  if (images.dimensions[0] != labels.dimensions[0]) {
    reject(label_file, "has " + std::to_string(labels.dimensions[0]) + " labels for " + std::to_string(images.dimensions[0]) + " images");
  }
  if (images.dimensions[1] != images.dimensions[2] || images.dimensions[1] == 0 || images.dimensions[1] > 4'096) {
    reject(image_file, "has images of " + std::to_string(images.dimensions[1]) + "x" + std::to_string(images.dimensions[2]) +
                           " pixels, which are no squares of at most 4096");
  }
  return {{std::move(images.bytes), {labels.bytes.begin(), labels.bytes.end()}}, static_cast<int>(images.dimensions[1])};
}

}  // namespace

bool is_idx(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(find_file(directory, "train-images-idx3-ubyte"), ignored);
}

Dataset load_idx(const fs::path& directory) {
  Md5 md5;
  Read train = read_set(directory, "train", md5), test = read_set(directory, "t10k", md5);
  if (train.side != test.side) {
    throw DataError(quoted(directory) + " has training images of side " + std::to_string(train.side) + " and test images of side " +
                    std::to_string(test.side) + "; take both from the same data set");
  }
  const int classes = *std::max_element(train.set.labels.begin(), train.set.labels.end()) + 1;
  for (std::size_t i = 0; i < test.set.size(); ++i) {
    if (test.set.labels[i] < classes) continue;
    reject(find_file(directory, "t10k-labels-idx1-ubyte"), "is mislabelled: image " + std::to_string(i) + " has label " +
                                                               std::to_string(test.set.labels[i]) + ", above the highest of training, " +
                                                               std::to_string(classes - 1));
  }
  Dataset dataset{.name = "idx", .source = "", .shape = {}, .train = std::move(train.set), .test = std::move(test.set)};
  dataset.shape = with_measured_pixels({.channels = 1, .side = train.side, .classes = classes, .mean = {}, .deviation = {}}, dataset.train);
  dataset.source = "IDX files, " + std::to_string(classes) + " classes, MD5 of the four files " + md5.hex();
  return dataset;
}

}  // namespace actsearch
