#include "evaluator/formats/folder.h"

#include <jpeglib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "evaluator/formats/folder_cache.h"
#include "evaluator/formats/pictures.h"
#include "tests/evaluator/formats/drawn_files.h"

namespace actsearch {
namespace {

namespace fs = std::filesystem;

class Folder : public DrawnFiles {
 protected:
  static void write_jpeg(const fs::path& file, const Picture& picture) {
    fs::create_directories(file.parent_path());
    jpeg_compress_struct info;
    jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* out = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &out, &size);
    info.image_width = static_cast<JDIMENSION>(picture.width);
    info.image_height = static_cast<JDIMENSION>(picture.height);
    info.input_components = picture.channels;
    info.in_color_space = picture.channels == 1 ? JCS_GRAYSCALE : picture.channels == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 95, TRUE);
    jpeg_start_compress(&info, TRUE);
    Bytes rows = interleaved(picture);
    while (info.next_scanline < info.image_height) {
      JSAMPROW row = rows.data() + std::size_t{info.next_scanline} * static_cast<std::size_t>(picture.width * picture.channels);
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    write(file, Bytes(out, out + size));
    std::free(out);
  }

  /// `n` pictures in each of three classes, of different sizes.
  fs::path drawn(const std::string& name, int n, int channels = 3) const {
    unsigned seed = 0;
    for (const char* const label : {"cat", "ant", "bee"}) {
      for (int i = 0; i < n; ++i, ++seed) {
        write_png(root_ / name / label / (std::to_string(i) + ".png"), picture(20 + i, 24, channels, seed));
      }
    }
    return root_ / name;
  }
  LoadOptions options(int side = 16, bool skip = false) {
    return {.side = side, .skip_unreadable = skip, .cache = {}, .say = [this](const std::string& line) { said_ += line + "\n"; }};
  }
  Dataset load(const fs::path& directory, int side = 16, bool skip = false) {
    said_.clear();
    return load_dataset(directory, options(side, skip));
  }
  fs::path cached() const { return fs::directory_iterator(root_ / "cache/actsearch/images")->path(); }

  std::string said_;
};

TEST_F(Folder, ClassesAreItsFoldersByNameAndPicturesAreResizedSquares) {
  const fs::path directory = drawn("train_only/train", 4).parent_path();
  for (const char* const label : {"ant", "bee", "cat"}) write_png(directory / "test" / label / "x.png", picture(16, 16, 3, 5));
  const Dataset dataset = load(directory);
  EXPECT_EQ(dataset.name, "folder");
  EXPECT_EQ(dataset.shape.classes, 3);
  EXPECT_EQ(dataset.shape.channels, 3);
  EXPECT_EQ(dataset.shape.side, 16);
  ASSERT_EQ(dataset.train.size(), 12u);
  ASSERT_EQ(dataset.test.size(), 3u);
  EXPECT_EQ(dataset.train.labels, (std::vector<Label>{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}));
  // "cat" was drawn first and comes last.
  const std::vector<std::uint8_t> cat = squared(picture(21, 24, 3, 1), 16);
  EXPECT_TRUE(std::equal(cat.begin(), cat.end(), dataset.train.image(9).begin()));
  const Picture exact = picture(16, 16, 3, 5);
  EXPECT_TRUE(std::equal(exact.planes.begin(), exact.planes.end(), dataset.test.image(2).begin()));
  EXPECT_TRUE(has(dataset.source, "image folder, 3 classes, 3x16x16, 12 training and 3 test images, MD5 of classes and pixels "));
  EXPECT_EQ(dataset.source.find(root_.string()), std::string::npos);
}

TEST_F(Folder, WithoutATestFolderASixthOfEachClassIsSplitOff) {
  const Dataset dataset = load(drawn("flat", 12, 1));
  EXPECT_EQ(dataset.shape.channels, 1);
  EXPECT_EQ(class_counts(dataset.test.labels, 3), (std::vector<std::size_t>{2, 2, 2}));
  EXPECT_EQ(class_counts(dataset.train.labels, 3), (std::vector<std::size_t>{10, 10, 10}));
  EXPECT_TRUE(has(dataset.source, "30 training and 6 test images split off"));
}

TEST_F(Folder, TheValidationFolderTestsWhereThereIsNoTestFolder) {
  const fs::path directory = drawn("d/train", 3).parent_path();
  write_png(directory / "val/bee/1.png", picture(16, 16, 3, 1));
  EXPECT_EQ(load(directory).test.labels, std::vector<Label>{1});
  write_png(directory / "test/cat/1.png", picture(16, 16, 3, 1));
  EXPECT_EQ(load(directory).test.labels, std::vector<Label>{2});
  write_png(directory / "test/dog/1.png", picture(16, 16, 3, 1));
  EXPECT_TRUE(has(data_error([&] { load(directory); }), "dog\" is a class that"));
}

TEST_F(Folder, JpegsAreReadGreyOrInColourNearTheirPixels) {
  for (const int channels : {1, 3}) {
    Picture smooth = picture(24, 20, channels, 0);
    for (std::size_t i = 0; i < smooth.planes.size(); ++i) smooth.planes[i] = static_cast<std::uint8_t>(100 + i % 24 * 3);
    write_jpeg(root_ / "p.jpg", smooth);
    const Picture read = read_picture(root_ / "p.jpg");
    ASSERT_EQ(read.channels, channels);
    ASSERT_EQ(read.width, 24);
    ASSERT_EQ(read.height, 20);
    for (std::size_t i = 0; i < read.planes.size(); ++i) ASSERT_NEAR(read.planes[i], smooth.planes[i], 12) << i;
  }
}

TEST_F(Folder, TransparentPartsAreWhite) {
  Picture clear = picture(8, 8, 4, 0);
  std::fill(clear.planes.begin() + 3 * 64, clear.planes.end(), std::uint8_t{0});
  write_png(root_ / "p.png", clear);
  const Picture read = read_picture(root_ / "p.png");
  EXPECT_EQ(read.channels, 3);
  EXPECT_EQ(read.planes, Bytes(3 * 64, 255));
}

TEST_F(Folder, EachPictureThatCannotBeReadSaysWhy) {
  const auto why = [&](const Bytes& bytes) {
    write(root_ / "p", bytes);
    const std::string message = data_error([&] { read_picture(root_ / "p"); });
    EXPECT_EQ(message.rfind("\"" + (root_ / "p").string() + "\"", 0), 0u) << message;
    return message;
  };
  write_png(root_ / "whole.png", picture(30, 30, 3, 2));
  write_jpeg(root_ / "whole.jpg", picture(30, 30, 3, 2));
  const Bytes png = read(root_ / "whole.png"), jpeg = read(root_ / "whole.jpg");
  const auto half = [](const Bytes& bytes) { return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2)); };
  EXPECT_TRUE(has(why(half(png)), "is a damaged PNG"));
  EXPECT_TRUE(has(why(half(jpeg)), "is a damaged JPEG"));
  EXPECT_TRUE(has(why({jpeg.begin(), jpeg.begin() + 20}), "is a damaged JPEG"));
  Bytes animated(png.begin(), png.begin() + 33);
  for (const std::uint8_t byte : Bytes{0, 0, 0, 8, 'a', 'c', 'T', 'L', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}) animated.push_back(byte);
  animated.insert(animated.end(), png.begin() + 33, png.end());
  EXPECT_TRUE(has(why(animated), "is an animated PNG"));
  EXPECT_TRUE(has(why({'G', 'I', 'F', '8', '9', 'a'}), "is a GIF, which may be animated"));
  EXPECT_TRUE(has(why({}), "is empty"));
  EXPECT_TRUE(has(why({'h', 'i'}), "is neither PNG nor JPEG"));
  write_jpeg(root_ / "four.jpg", picture(8, 8, 4, 0));
  EXPECT_TRUE(has(why(read(root_ / "four.jpg")), "is a JPEG in CMYK"));
}

TEST_F(Folder, OneBadPictureIsNamedAndLeftOutOnlyWhereThatIsAskedFor) {
  const fs::path directory = drawn("d", 12);
  const Dataset whole = load(directory);
  write(directory / "bee/3.png", {'n', 'o'});
  const std::string message = data_error([&] { load(directory); });
  EXPECT_TRUE(has(message, "bee/3.png\" is neither PNG nor JPEG"));
  EXPECT_TRUE(has(message, "--skip-unreadable"));
  const Dataset rest = load(directory, 16, true);
  EXPECT_TRUE(has(said_, "left out: \"" + (directory / "bee/3.png").string()));
  EXPECT_EQ(rest.train.size() + rest.test.size(), 35u);
  EXPECT_NE(rest.source, whole.source);
  load(directory, 16, true);
  EXPECT_TRUE(has(said_, "left out: \"" + (directory / "bee/3.png").string())) << "from the cache";
  EXPECT_TRUE(has(data_error([&] { load(directory); }), "bee/3.png")) << "with what skipping left in the cache";
}

TEST_F(Folder, EmptyClassesSingleClassesAndGreyAmongColourAreRefused) {
  const fs::path directory = drawn("d", 6);
  fs::create_directories(directory / "dog");
  write(directory / "dog/.hidden", {1});
  EXPECT_TRUE(has(data_error([&] { load(directory); }), "dog\" has no pictures"));
  fs::remove_all(directory / "dog");
  write_png(directory / "cat/grey.png", picture(20, 20, 1, 1));
  const std::string mixed = data_error([&] { load(directory); });
  EXPECT_TRUE(has(mixed, "cat/grey.png\" is grey among pictures in colour (1 grey, 18 in colour)"));
  fs::remove_all(directory / "cat");
  fs::remove_all(directory / "bee");
  EXPECT_TRUE(has(data_error([&] { load(directory); }), "a single class folder, ant"));
}

TEST_F(Folder, PicturesAreDecodedOnceAndAgainWhereTheListingOrTheSideChanges) {
  const fs::path directory = drawn("d", 6);
  const Dataset first = load(directory);
  EXPECT_TRUE(has(said_, "reading 18 pictures"));
  const auto again = [&](int side = 16) {
    const Dataset dataset = load(directory, side);
    EXPECT_EQ(dataset.shape, load_dataset(directory, options(side)).shape);
    return said_.find("reading") != std::string::npos;
  };
  EXPECT_EQ(load(directory).train.pixels, first.train.pixels);
  EXPECT_EQ(load(directory).source, first.source);
  EXPECT_EQ(load(directory).shape, first.shape);
  EXPECT_FALSE(again());
  EXPECT_TRUE(again(24)) << "another side";
  fs::last_write_time(directory / "ant/0.png", fs::last_write_time(directory / "ant/0.png") + std::chrono::seconds(3));
  EXPECT_TRUE(again()) << "another time";
  fs::rename(directory / "ant/0.png", directory / "ant/9.png");
  EXPECT_TRUE(again()) << "another name";
  fs::remove(directory / "ant/9.png");
  EXPECT_TRUE(again()) << "one fewer";
}

TEST_F(Folder, ADamagedCacheIsMadeAnew) {
  const fs::path directory = drawn("d", 6);
  const Dataset first = load(directory);
  const Bytes whole = read(cached());
  for (const std::size_t at : {std::size_t{3}, whole.size() / 2, whole.size() - 1}) {
    Bytes damaged = whole;
    damaged[at] ^= 1;
    write(cached(), damaged);
    EXPECT_EQ(load(directory).train.pixels, first.train.pixels);
    EXPECT_TRUE(has(said_, "reading 18 pictures")) << at;
    EXPECT_EQ(read(cached()), whole);
  }
  Bytes cut(whole.begin(), whole.begin() + 10);
  write(cached(), cut);
  EXPECT_EQ(load(directory).source, first.source);
  EXPECT_EQ(read(cached()), whole);
}

TEST_F(Folder, WithoutAPlaceForTheCacheThePicturesAreStillRead) {
  write(root_ / "cache", {1});
  EXPECT_EQ(load(drawn("d", 6)).train.size(), 15u);
  EXPECT_TRUE(has(said_, "not kept for the next time"));
}

}  // namespace
}  // namespace actsearch
