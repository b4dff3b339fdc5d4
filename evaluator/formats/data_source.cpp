#include "evaluator/formats/data_source.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "evaluator/data/resize.h"
#include "evaluator/formats/files.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace actsearch {
namespace {

namespace fs = std::filesystem;

/// Where every command looks for data without being told, below the directory "data".
constexpr const char* kUsualName = "cifar-10-batches-bin";
constexpr const char* kSyntheticWord = "synthetic";

/// How many training images "synthetic" or "synthetic:N" asks for; absent where the text is neither. DataError for a bad N.
std::optional<std::size_t> synthetic_size(const std::string& place) {
  constexpr std::size_t kDefault = 50'000, kFewest = 10, kMost = 1'000'000;
  if (place == kSyntheticWord) return kDefault;
  const std::string prefix = std::string(kSyntheticWord) + ":";
  if (place.rfind(prefix, 0) != 0) return std::nullopt;
  std::size_t size = 0;
  const char* const last = place.data() + place.size();
  const auto [end, error] = std::from_chars(place.data() + prefix.size(), last, size);
  if (error != std::errc{} || end != last || size < kFewest || size > kMost) {
    throw DataError("\"" + place + "\": expected a number of images from " + std::to_string(kFewest) + " to " + std::to_string(kMost) +
                    " after \"" + prefix + "\"");
  }
  return size;
}

/// A directory for half-made things, empty when made and gone afterwards.
class WorkDirectory {
 public:
  explicit WorkDirectory(fs::path path) : path_(std::move(path)) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~WorkDirectory() {
    std::error_code ignored;  // what cannot be removed now is removed by the next fetch
    fs::remove_all(path_, ignored);
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// A directory that is made if it is not there, and that goes again if it was made in vain: with nothing in it.
class NewDirectory {
 public:
  explicit NewDirectory(fs::path path) : path_(std::move(path)), made_(fs::create_directories(path_)) {}
  ~NewDirectory() {
    std::error_code not_empty;
    if (made_) fs::remove(path_, not_empty);
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

 private:
  fs::path path_;
  bool made_;
};

/// The archive's bytes into `part`, after whatever is there already.
void download(const Archive& archive, const fs::path& part, const std::function<void(const std::string&)>& say) {
  constexpr int kNoSuchProgram = 127, kCannotResume = 33, kBadOffset = 36;
  const auto fetch = [&] {
    const char* progress = isatty(STDERR_FILENO) == 1 ? "--progress-bar" : "--no-progress-meter";
    return detail::run_program({"curl", "--fail", "--location", "--show-error", progress, "--connect-timeout", "20", "--continue-at", "-",
                                "--output", part.string(), archive.url});
  };
  say("downloading " + archive.url + (fs::exists(part) ? ", continuing at byte " + std::to_string(fs::file_size(part)) : ""));
  int status = fetch();
  if (fs::exists(part) && (status == kCannotResume || status == kBadOffset)) {
    say("the download cannot be continued: starting again");
    fs::remove(part);
    status = fetch();
  }
  if (status == 0) return;
  if (fs::exists(part) && fs::file_size(part) == 0) fs::remove(part);  // there is nothing to continue
  if (status == kNoSuchProgram) {
    throw DataError("the curl program is not installed: install it, or put " + archive.url + " into " + quoted(part.parent_path()) +
                    " yourself, and run this again");
  }
  throw DataError("curl could not download " + archive.url + " (exit status " + std::to_string(status) +
                  ", its message is above); run this again to continue (remove " + quoted(part) +
                  " to start afresh), or put the archive into " + quoted(part.parent_path()) + " yourself");
}

/// Unpacks a checked archive, and gives the result its final name once it is whole.
void unpack(const fs::path& archive, const fs::path& final_name, const std::string& folder) {
  const WorkDirectory work(fs::path(final_name) += ".unpacking");
  const int status = detail::run_program(
      {"tar", "--extract", "--gzip", "--no-same-owner", "--file", archive.string(), "--directory", work.path().string()});
  if (status != 0) {
    throw DataError("tar could not unpack " + quoted(archive) + " (exit status " + std::to_string(status) +
                    "); tar and gzip must be installed and the disk have 180 MB free");
  }
  load_dataset(work.path() / folder);
  fs::rename(work.path() / folder, final_name);
}

fs::path fetch(const fs::path& directory, const std::function<void(const std::string&)>& say, const Archive& archive) {
  fs::path final_name = directory / archive.folder;
  if (fs::exists(final_name)) {
    load_dataset(final_name);
    say(quoted(final_name) + " is already there and whole");
    return final_name;
  }
  const NewDirectory made(directory);
  const fs::path own = directory / archive.file, part = fs::path(own) += ".part";
  const bool given = fs::exists(own);
  const fs::path& packed = given ? own : part;
  // A download that had just ended when the program was killed is whole: curl has nothing to continue.
  if (!given && !(fs::exists(part) && md5_of_file(part) == archive.md5)) download(archive, part, say);
  if (const std::string md5 = md5_of_file(packed); md5 != archive.md5) {
    if (!given) fs::remove(part);
    throw DataError(quoted(packed) + " has MD5 " + md5 + " instead of " + archive.md5 +
                    (given ? ": remove it and run this again" : ": the download was damaged and has been deleted; run this again"));
  }
  say("MD5 " + archive.md5 + " is right; unpacking");
  unpack(packed, final_name, archive.folder);
  fs::remove(part);
  say(archive.name + " is in " + quoted(final_name));
  return final_name;
}

}  // namespace

namespace detail {

int run_program(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));  // posix_spawnp changes none
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t process = 0;
  const int error = posix_spawnp(&process, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return 127;  // as a shell reports a missing program
  if (error != 0) throw DataError(arguments[0] + " cannot be started: " + std::generic_category().message(error));

  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) throw DataError(arguments[0] + " cannot be waited for: " + std::generic_category().message(errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace detail

Dataset find_dataset(const std::optional<std::string>& requested, const std::function<void(const std::string&)>& say,
                     const Archive& archive, LoadOptions loading) {
  loading.say = say;
  const auto use = [&](const std::string& place, const std::string& why) {
    if (const auto size = synthetic_size(place)) {
      Dataset dataset = make_synthetic(1, *size, *size / 5);
      const int side = loading.side.value_or(dataset.shape.side);
      dataset = resized(std::move(dataset), side);
      say("data: " + dataset.source + " (" + why + ")");
      return dataset;
    }
    try {
      Dataset dataset = load_dataset(place, loading);
      say("data: " + dataset.source + ", in " + quoted(dataset.name == kCifar10Name ? find_batches(place) : fs::path(place)) + " (" + why +
          ")");
      return dataset;
    } catch (const DataError& error) {
      throw DataError(why + ": " + error.what() + "; or train on the built-in set with: --data " + kSyntheticWord);
    }
  };
  if (requested) return use(*requested, "--data");
  if (const char* place = std::getenv("ACTSEARCH_DATA"); place != nullptr && *place != '\0') return use(place, "$ACTSEARCH_DATA");
  const fs::path usual = fs::path("data") / kUsualName;
  if (fs::exists(usual)) return use(usual.string(), "the usual place");
  say("no CIFAR-10 here: neither --data nor $ACTSEARCH_DATA is given, and there is no " + usual.string());
  try {
    return use(fetch_dataset("data", say, archive).string(), "downloaded");
  } catch (const DataError& error) {
    throw DataError("there is no CIFAR-10 here, and the download failed\n  tried: --data and $ACTSEARCH_DATA (not given), " +
                    usual.string() + " (not there), " + archive.url + "\n  what went wrong: " + error.what() +
                    "\n  three ways on:\n"
                    "    actsearch data fetch data   downloads it later, to where every command finds it\n"
                    "    --data DIR                  takes a copy that you have: the directory with data_batch_1.bin\n"
                    "    --data synthetic            trains on drawn images instead, to see how the program works");
  }
}

namespace {

/// Of any format but CIFAR-10's.
std::string check_any(const fs::path& directory, const LoadOptions& loading) {
  const Dataset dataset = load_dataset(directory, loading);
  const ImageShape& shape = dataset.shape;
  std::string report = quoted(directory) + "\nformat " + dataset.name + ": " + std::to_string(shape.channels) +
                       (shape.channels == 1 ? " channel, " : " channels, ") + std::to_string(shape.side) + "x" +
                       std::to_string(shape.side) + " pixels, " + std::to_string(shape.classes) + " classes\n";
  for (const auto& [which, set] : {std::pair("training", &dataset.train), std::pair("test", &dataset.test)}) {
    report += std::string(which) + " images of each class:";
    for (const std::size_t count : class_counts(set->labels, shape.classes)) report += " " + std::to_string(count);
    report += "\n";
  }
  return report + std::to_string(dataset.train.size()) + " training and " + std::to_string(dataset.test.size()) + " test images; " +
         dataset.source + "\n";
}

}  // namespace

std::string check_dataset(const fs::path& given, const BatchSums& published, const LoadOptions& loading) {
  std::error_code error;
  if (fs::is_directory(given, error) && !is_cifar10(given)) return check_any(given, loading);
  const fs::path directory = find_batches(given);
  const Dataset dataset = load_cifar10(directory);
  std::string report = quoted(directory) + "\n";
  std::size_t altered = 0;
  for (std::size_t i = 0; i < kBatchFiles.size(); ++i) {
    const bool test = i + 1 == kBatchFiles.size();
    const std::span<const Label> labels = test ? dataset.test.labels : dataset.train.labels;
    const fs::path file = directory / kBatchFiles[i];
    const std::string md5 = md5_of_file(file);
    altered += md5 == published[i] ? 0 : 1;
    report += std::string(kBatchFiles[i]) + "  " + std::to_string(fs::file_size(file)) + " bytes  MD5 " + md5 +
              (md5 == published[i] ? " as published" : " altered") + "  labels 0-9:";
    for (const std::size_t count : class_counts(labels.subspan(test ? 0 : i * kBatchRecords, kBatchRecords), dataset.shape.classes)) {
      report += " " + std::to_string(count);
    }
    report += "\n";
  }
  report += std::to_string(dataset.train.size()) + " training and " + std::to_string(dataset.test.size()) + " test images; " +
            dataset.source + "\n";
  if (altered == 0) return report + "all files are as published\n";
  return report + "altered: " + std::to_string(altered) + " of " + std::to_string(kBatchFiles.size()) +
         " files are not CIFAR-10 as published. Say so beside every score on them; `actsearch data fetch DIR` gets the published ones\n";
}

fs::path fetch_dataset(const fs::path& directory, const std::function<void(const std::string&)>& say, const Archive& archive) {
  try {
    return fetch(directory, say, archive);
  } catch (const fs::filesystem_error& error) {
    throw DataError(quoted(directory) + " cannot hold the data set: " + error.what());
  }
}

}  // namespace actsearch
