#include <zlib.h>

#include <algorithm>

#include "evaluator/data/md5.h"
#include "evaluator/formats/data_source.h"
#include "evaluator/formats/format.h"
#include "tests/evaluator/formats/drawn_files.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

class Formats : public DrawnFiles {
 protected:
  static constexpr std::size_t kImage = 3 * 32 * 32;

  /// Records of CIFAR-100: record i has fine label `first + i` (mod 100) and an image of bytes that follow from i.
  static Bytes cifar100_records(std::size_t n, std::size_t first) {
    Bytes bytes;
    for (std::size_t i = 0; i < n; ++i) {
      const auto fine = static_cast<std::uint8_t>((first + i) % 100);
      bytes.push_back(fine / 5);
      bytes.push_back(fine);
      for (std::size_t k = 0; k < kImage; ++k) bytes.push_back(static_cast<std::uint8_t>(i * 3 + k));
    }
    return bytes;
  }
  fs::path cifar100(const std::string& name) const {
    write(root_ / name / "train.bin", cifar100_records(300, 7));
    write(root_ / name / "test.bin", cifar100_records(100, 0));
    return root_ / name;
  }

  static void number(Bytes& bytes, std::size_t value) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
  static Bytes idx_images(std::size_t n, std::size_t rows, std::size_t columns) {
    Bytes bytes{0, 0, 8, 3};
    for (const std::size_t dimension : {n, rows, columns}) number(bytes, dimension);
    for (std::size_t i = 0; i < n * rows * columns; ++i) bytes.push_back(static_cast<std::uint8_t>(i * i + i / 3));
    return bytes;
  }
  static Bytes idx_labels(std::size_t n, std::size_t classes) {
    Bytes bytes{0, 0, 8, 1};
    number(bytes, n);
    for (std::size_t i = 0; i < n; ++i) bytes.push_back(static_cast<std::uint8_t>(i % classes));
    return bytes;
  }
  fs::path idx(const std::string& name) const {
    write(root_ / name / "train-images-idx3-ubyte", idx_images(70, 28, 28));
    write(root_ / name / "train-labels-idx1-ubyte", idx_labels(70, 7));
    write(root_ / name / "t10k-images-idx3-ubyte", idx_images(21, 28, 28));
    write(root_ / name / "t10k-labels-idx1-ubyte", idx_labels(21, 7));
    return root_ / name;
  }
  static void pack(const fs::path& file) {
    const Bytes bytes = read(file);
    const gzFile packed = gzopen((file.string() + ".gz").c_str(), "wb");
    gzwrite(packed, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(packed);
    fs::remove(file);
  }
};

TEST_F(Formats, Cifar100HasItsFineLabelsAndStatesTheChecksumOfBothFiles) {
  const fs::path directory = cifar100("c");
  const Dataset dataset = load_dataset(directory);
  EXPECT_EQ(dataset.name, "cifar100");
  EXPECT_EQ(dataset.shape.classes, 100);
  EXPECT_EQ(dataset.shape.channels, 3);
  EXPECT_EQ(dataset.shape.side, 32);
  ASSERT_EQ(dataset.train.size(), 300u);
  ASSERT_EQ(dataset.test.size(), 100u);
  EXPECT_EQ(dataset.train.labels[0], 7);
  EXPECT_EQ(dataset.train.labels[95], 2);
  EXPECT_EQ(dataset.train.image(11).front(), 33);
  EXPECT_EQ(dataset.train.image(11).back(), static_cast<std::uint8_t>(33 + kImage - 1));
  Bytes all = cifar100_records(300, 7);
  const Bytes test = cifar100_records(100, 0);
  all.insert(all.end(), test.begin(), test.end());
  EXPECT_EQ(dataset.source, "CIFAR-100, fine labels, MD5 of the two files " + md5_hex(all.data(), all.size()));
  EXPECT_GT(dataset.shape.deviation[2], 1.0f);
  EXPECT_EQ(load_dataset([&] {
              fs::create_directories(root_ / "above");
              fs::rename(directory, root_ / "above/cifar-100-binary");
              return root_ / "above";
            }())
                .source,
            dataset.source);
}

TEST_F(Formats, Cifar100IsRefusedWithALabelOutOfRangeACutFileOrAMissingOne) {
  const fs::path directory = cifar100("c");
  Bytes bytes = cifar100_records(100, 0);
  bytes[2 * (kImage + 2) + 1] = 100;
  write(directory / "test.bin", bytes);
  const std::string mislabelled = data_error([&] { load_dataset(directory); });
  EXPECT_TRUE(has(mislabelled, "test.bin\" is mislabelled: record 2 has fine label 100, above 99"));
  EXPECT_TRUE(has(mislabelled, "actsearch data fetch cifar100"));
  bytes[2 * (kImage + 2) + 1] = 0;
  bytes[2 * (kImage + 2)] = 20;
  write(directory / "test.bin", bytes);
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory); }), "record 2 has coarse label 20, above 19"));
  bytes.pop_back();
  write(directory / "test.bin", bytes);
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory); }), "no whole number of records of 3074"));
  fs::remove(directory / "test.bin");
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory); }), "test.bin\" is missing"));
}

TEST_F(Formats, IdxFilesAreGreyAndTheSameDataPackedOrNot) {
  const fs::path directory = idx("i");
  const Dataset dataset = load_dataset(directory);
  EXPECT_EQ(dataset.name, "idx");
  EXPECT_EQ(dataset.shape.channels, 1);
  EXPECT_EQ(dataset.shape.side, 28);
  EXPECT_EQ(dataset.shape.classes, 7);
  EXPECT_EQ(dataset.train.labels[9], 2);
  const Bytes file = idx_images(70, 28, 28);
  EXPECT_TRUE(std::equal(file.begin() + 16 + 5 * 784, file.begin() + 16 + 6 * 784, dataset.train.image(5).begin()));
  EXPECT_EQ(dataset.test.size(), 21u);
  for (const char* const name : {"train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) pack(directory / name);
  const Dataset packed = load_dataset(directory);
  EXPECT_EQ(packed.source, dataset.source);
  EXPECT_EQ(packed.train.pixels, dataset.train.pixels);
}

TEST_F(Formats, AnImageSideResizesAndIsAnotherSource) {
  const fs::path directory = idx("i");
  const Dataset small = load_dataset(directory),
                large = load_dataset(directory, {.side = 32, .skip_unreadable = false, .cache = {}, .say = {}});
  EXPECT_EQ(large.shape.side, 32);
  EXPECT_EQ(large.source, small.source + ", resized to 32x32");
  EXPECT_EQ(large.train.image(3).size(), 32u * 32);
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory, {.side = 97, .skip_unreadable = false, .cache = {}, .say = {}}); }), "8 to 96"));
}

TEST_F(Formats, IdxIsRefusedWhereItIsCutOrDoesNotGoTogether) {
  const auto refused = [&](const char* name, const Bytes& bytes) {
    const fs::path directory = idx("i");
    write(directory / name, bytes);
    const std::string message = data_error([&] { load_dataset(directory); });
    EXPECT_TRUE(has(message, name));
    return message;
  };
  Bytes cut = idx_images(70, 28, 28);
  cut.pop_back();
  EXPECT_TRUE(has(refused("train-images-idx3-ubyte", cut), "is truncated: 54895 bytes instead of 54896"));
  cut.resize(7);
  EXPECT_TRUE(has(refused("train-images-idx3-ubyte", cut), "less than its header"));
  Bytes longer = idx_labels(21, 7);
  longer.push_back(0);
  EXPECT_TRUE(has(refused("t10k-labels-idx1-ubyte", longer), "is too long"));
  EXPECT_TRUE(has(refused("t10k-labels-idx1-ubyte", idx_labels(20, 7)), "20 labels for 21 images"));
  EXPECT_TRUE(has(refused("t10k-labels-idx1-ubyte", idx_labels(21, 8)), "image 7 has label 7, above the highest of training, 6"));
  EXPECT_TRUE(has(refused("train-labels-idx1-ubyte", idx_images(1, 1, 1)), "no IDX file"));
  EXPECT_TRUE(has(refused("train-images-idx3-ubyte", idx_images(70, 28, 27)), "28x27"));
  Bytes vast{0, 0, 8, 3};
  for (int i = 0; i < 3; ++i) number(vast, 0xffffffffu);
  EXPECT_TRUE(has(refused("train-images-idx3-ubyte", vast), "more than a file can hold"));

  const fs::path directory = idx("i");
  pack(directory / "train-images-idx3-ubyte");
  Bytes half = read(directory / "train-images-idx3-ubyte.gz");
  half.resize(half.size() / 2);
  write(directory / "train-images-idx3-ubyte.gz", half);
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory); }), "train-images-idx3-ubyte.gz\" is truncated"));
}

TEST_F(Formats, ASideThatNoNetworkTakesAndASingleClassAreRefused) {
  const fs::path directory = idx("i");
  write(directory / "train-images-idx3-ubyte", idx_images(70, 4, 4));
  write(directory / "t10k-images-idx3-ubyte", idx_images(21, 4, 4));
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory); }), "resize them with --image-side"));
  idx("i");
  write(directory / "train-labels-idx1-ubyte", idx_labels(70, 1));
  write(directory / "t10k-labels-idx1-ubyte", idx_labels(21, 1));
  EXPECT_TRUE(has(data_error([&] { load_dataset(directory); }), "has 1 class;"));
}

TEST_F(Formats, ADirectoryOfNoneIsToldWhatEachFormatHolds) {
  fs::create_directories(root_ / "empty");
  const std::string message = data_error([&] { load_dataset(root_ / "empty"); });
  for (const DataFormat& format : data_formats()) EXPECT_TRUE(has(message, std::string(format.name) + ": " + std::string(format.holds)));
  EXPECT_TRUE(has(data_error([&] { load_dataset(root_ / "nowhere"); }), "nowhere\" does not exist"));
}

TEST_F(Formats, FetchUnpacksCifar100sArchiveAndRefusesAWrongChecksum) {
  cifar100("packing/cifar-100-binary");
  const fs::path file = root_ / "archive.tar.gz";
  ASSERT_EQ(detail::run_program({"tar", "-czf", file, "-C", root_ / "packing", "cifar-100-binary"}), 0);
  Archive archive = kCifar100Archive;
  EXPECT_EQ(archive.md5, "03b5dce01913d631647c71ecec9e9cb8");
  archive.url = "file://" + file.string();
  const auto say = [](const std::string&) {};
  EXPECT_TRUE(has(data_error([&] { fetch_dataset(root_ / "fetched", say, archive); }), "instead of 03b5dce0"));
  const Bytes bytes = read(file);
  archive.md5 = md5_hex(bytes.data(), bytes.size());
  EXPECT_EQ(fetch_dataset(root_ / "fetched", say, archive), root_ / "fetched/cifar-100-binary");
  EXPECT_EQ(load_dataset(root_ / "fetched").name, "cifar100");
}

TEST_F(Formats, CheckStatesShapeAndImagesOfEachClass) {
  const std::string report = check_dataset(idx("i"));
  EXPECT_TRUE(has(report, "format idx: 1 channel, 28x28 pixels, 7 classes\n"));
  EXPECT_TRUE(has(report, "training images of each class: 10 10 10 10 10 10 10\n"));
  EXPECT_TRUE(has(report, "70 training and 21 test images; IDX files"));
}

}  // namespace
}  // namespace actsearch
