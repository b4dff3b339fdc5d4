#include "evaluator/data/dataset.h"

#include <algorithm>
#include <numeric>

#include "evaluator/data/md5.h"
#include "evaluator/formats/data_source.h"
#include "tests/evaluator/formats/fake_cifar10.h"

namespace actsearch {
namespace {

class Cifar10Files : public FakeCifar10 {};

TEST_F(Cifar10Files, AreReadInOrderWithLabelsAndImagesApart) {
  const Dataset dataset = load_cifar10(make_directory("whole"));
  EXPECT_EQ(dataset.name, "cifar10");
  ASSERT_EQ(dataset.train.size(), 50'000u);
  ASSERT_EQ(dataset.test.size(), 10'000u);
  for (const std::size_t i : {0, 249, 250, 9'999, 10'000, 34'567, 49'999}) {
    const std::size_t record = i % kBatchRecords;
    EXPECT_EQ(dataset.train.labels[i], label_of(record)) << i;
    EXPECT_EQ(dataset.train.image(i).front(), byte_of(record, 0)) << i;
    EXPECT_EQ(dataset.train.image(i).back(), byte_of(record, kImageBytes - 1)) << i;
  }
  EXPECT_EQ(dataset.test.image(1'234)[567], byte_of(1'234, 567));
}

TEST_F(Cifar10Files, StateTheChecksumOfAllSixInOrderAndNoPath) {
  const std::filesystem::path directory = make_directory("whole");
  std::vector<char> other = batch_bytes();
  other[5] ^= 1;
  write(directory / "data_batch_2.bin", other);
  std::vector<char> all;
  for (const std::string_view name : kBatchFiles) {
    const std::vector<char> bytes = name == "data_batch_2.bin" ? other : batch_bytes();
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  const std::string source = load_cifar10(directory).source;
  EXPECT_TRUE(contains(source, md5_hex(all.data(), all.size())));
  EXPECT_EQ(source.find(root_.string()), std::string::npos);
}

TEST_F(Cifar10Files, AreAlsoFoundOneDirectoryBelow) {
  make_directory("parent/cifar-10-batches-bin");
  EXPECT_EQ(load_cifar10(root_ / "parent").train.size(), 50'000u);
}

TEST_F(Cifar10Files, AreRefusedWhenOneIsTruncated) {
  const std::filesystem::path directory = make_directory("bad");
  std::vector<char> bytes = batch_bytes();
  bytes.pop_back();
  write(directory / "data_batch_4.bin", bytes);
  const std::string message = data_error([&] { load_cifar10(directory); });
  EXPECT_TRUE(contains(message, "data_batch_4.bin"));
  EXPECT_TRUE(contains(message, "truncated: 30729999 bytes instead of 30730000"));
  EXPECT_TRUE(contains(message, "actsearch data fetch"));
}

TEST_F(Cifar10Files, AreRefusedWhenOneIsEmpty) {
  const std::filesystem::path directory = make_directory("bad");
  write(directory / "test_batch.bin", {});
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(directory); }), "truncated: 0 bytes"));
}

TEST_F(Cifar10Files, AreRefusedWhenOneIsTooLong) {
  const std::filesystem::path directory = make_directory("bad");
  std::vector<char> bytes = batch_bytes();
  bytes.push_back(0);
  write(directory / "data_batch_5.bin", bytes);
  const std::string message = data_error([&] { load_cifar10(directory); });
  EXPECT_TRUE(contains(message, "data_batch_5.bin"));
  EXPECT_TRUE(contains(message, "too long: 30730001 bytes"));
}

TEST_F(Cifar10Files, AreRefusedWhenALabelIsAboveNine) {
  const std::filesystem::path directory = make_directory("bad");
  std::vector<char> bytes = batch_bytes();
  bytes[7'777 * kRecordBytes] = 10;
  write(directory / "data_batch_2.bin", bytes);
  const std::string message = data_error([&] { load_cifar10(directory); });
  EXPECT_TRUE(contains(message, "data_batch_2.bin"));
  EXPECT_TRUE(contains(message, "mislabelled: record 7777 has label 10"));
}

TEST_F(Cifar10Files, AreRefusedWhenTheClassesAreUneven) {
  const std::filesystem::path directory = make_directory("bad");
  std::vector<char> bytes = batch_bytes();
  bytes[3 * kRecordBytes] = 4;
  write(directory / "data_batch_1.bin", bytes);
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(directory); }), "4999 of its training images have label 3 instead of 5000"));
}

TEST_F(Cifar10Files, AreRefusedWhenOneIsMissing) {
  const std::filesystem::path directory = make_directory("bad");
  std::filesystem::remove(directory / "data_batch_3.bin");
  const std::string message = data_error([&] { load_cifar10(directory); });
  EXPECT_TRUE(contains(message, "data_batch_3.bin"));
  EXPECT_TRUE(contains(message, "is missing"));
}

TEST_F(Cifar10Files, AreRefusedWhenOneIsADirectory) {
  const std::filesystem::path directory = make_directory("bad");
  std::filesystem::remove(directory / "data_batch_3.bin");
  std::filesystem::create_directory(directory / "data_batch_3.bin");
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(directory); }), "data_batch_3.bin\" cannot be read"));
}

TEST_F(Cifar10Files, AreNotFoundInAnEmptyPlaceAFileOrNowhere) {
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(root_); }), "does not hold CIFAR-10's binary files"));
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(root_ / "nowhere"); }), "does not exist"));
  write(root_ / "archive", {'x'});
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(root_ / "archive"); }), "is not a directory"));
}

TEST_F(Cifar10Files, OfThePythonVersionAreNamedAsSuch) {
  write(root_ / "data_batch_1", {'x'});
  EXPECT_TRUE(contains(data_error([&] { load_cifar10(root_); }), "Python version"));
}

std::vector<Label> balanced_labels(std::size_t size) {
  std::vector<Label> labels(size);
  for (std::size_t i = 0; i < size; ++i) labels[i] = static_cast<Label>(i * 7 % kClasses);
  return labels;
}

void expect_partition(const Split& split, std::size_t size) {
  std::vector<std::uint32_t> all(split.train);
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  std::sort(all.begin(), all.end());
  std::vector<std::uint32_t> expected(size);
  std::iota(expected.begin(), expected.end(), 0u);
  EXPECT_EQ(all, expected);
}

TEST(StratifiedSplit, TakesTheSameNumberOfEveryClass) {
  const std::vector<Label> labels = balanced_labels(50'000);
  const Split split = stratified_split(labels);
  ASSERT_EQ(split.validation.size(), 5'000u);
  expect_partition(split, labels.size());
  std::vector<std::size_t> counts(kClasses);
  for (const std::uint32_t index : split.validation) ++counts[labels[index]];
  for (const std::size_t count : counts) EXPECT_EQ(count, 500u);
}

TEST(StratifiedSplit, DiffersByAtMostOnePerClassWhereItDoesNotDivide) {
  const std::vector<Label> labels = balanced_labels(1'000);
  const Split split = stratified_split(labels, 123);
  ASSERT_EQ(split.validation.size(), 123u);
  expect_partition(split, labels.size());
  std::vector<std::size_t> counts(kClasses);
  for (const std::uint32_t index : split.validation) ++counts[labels[index]];
  for (const std::size_t count : counts) EXPECT_TRUE(count == 12 || count == 13) << count;
}

TEST(StratifiedSplit, FollowsTheSharesOfUnevenClasses) {
  std::vector<Label> labels(900, 3);
  labels.resize(1'000, 8);
  const Split split = stratified_split(labels, 100);
  EXPECT_EQ(std::count_if(split.validation.begin(), split.validation.end(), [&](std::uint32_t i) { return labels[i] == 8; }), 10);
}

TEST(StratifiedSplit, IsTheSameEveryTimeAndSpreadOverTheSet) {
  const std::vector<Label> labels = balanced_labels(50'000);
  const Split split = stratified_split(labels);
  EXPECT_EQ(split.validation, stratified_split(labels).validation);
  // The mean of 5,000 of 50,000 indices has standard deviation 194: within 5 of them.
  const double mean = std::accumulate(split.validation.begin(), split.validation.end(), 0.0) / 5'000;
  EXPECT_NEAR(mean, 24'999.5, 970);
}

TEST(StratifiedSplit, FoldsHaveNoValidationImageInCommonAndAreStratifiedToo) {
  const std::vector<Label> labels = balanced_labels(1'000);
  std::vector<std::uint32_t> validated;
  for (std::size_t fold = 0; fold < 10; ++fold) {
    const Split split = stratified_split(labels, 100, fold);
    expect_partition(split, labels.size());
    std::vector<std::size_t> counts(kClasses);
    for (const std::uint32_t index : split.validation) ++counts[labels[index]];
    for (const std::size_t count : counts) EXPECT_EQ(count, 10u) << fold;
    validated.insert(validated.end(), split.validation.begin(), split.validation.end());
  }
  std::sort(validated.begin(), validated.end());
  EXPECT_EQ(std::unique(validated.begin(), validated.end()), validated.end());
  EXPECT_EQ(stratified_split(labels, 100).validation, stratified_split(labels, 100, 0).validation);
  EXPECT_THROW(stratified_split(labels, 100, 10), std::invalid_argument);
}

TEST(StratifiedSplit, APartThatTrainsIsStratifiedAndThePartOfALargerOne) {
  const std::vector<Label> labels = balanced_labels(1'000);
  const Split whole = stratified_split(labels, 100), part = stratified_split(labels, 100, 0, 200),
              smaller = stratified_split(labels, 100, 0, 50);
  EXPECT_EQ(part.validation, whole.validation);
  ASSERT_EQ(part.train.size(), 200u);
  EXPECT_TRUE(std::includes(whole.train.begin(), whole.train.end(), part.train.begin(), part.train.end()));
  EXPECT_TRUE(std::includes(part.train.begin(), part.train.end(), smaller.train.begin(), smaller.train.end()));
  std::vector<std::size_t> counts(kClasses);
  for (const std::uint32_t index : part.train) ++counts[labels[index]];
  for (const std::size_t count : counts) EXPECT_EQ(count, 20u);
  EXPECT_EQ(stratified_split(labels, 100, 0, 900).train, whole.train);
  EXPECT_THROW(stratified_split(labels, 100, 0, 901), std::invalid_argument);
}

TEST(StratifiedSplit, GivesEverythingToOneSideAtTheExtremesAndRefusesMore) {
  const std::vector<Label> labels = balanced_labels(100);
  EXPECT_EQ(stratified_split(labels, 0).train.size(), 100u);
  EXPECT_EQ(stratified_split(labels, 100).validation.size(), 100u);
  EXPECT_THROW(stratified_split(labels, 101), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
