#include "evaluator/train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <type_traits>

#include "evaluator/data/file_advice.h"
#include "evaluator/data/random.h"

namespace actsearch {
namespace {

/// Version 2 has the steps of an epoch that is not whole; version 1 is without them, and what is written between two epochs.
constexpr std::string_view kBetweenEpochs = "actsearch checkpoint 1\n", kInsideAnEpoch = "actsearch checkpoint 2\n";

template <class T>
void put(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_floats(std::string& out, std::span<const float> values) {
  put(out, static_cast<std::uint64_t>(values.size()));
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

/// Reads what put wrote, within bounds.
class Reader {
 public:
  Reader(std::string_view bytes, const std::filesystem::path& file) : bytes_(bytes), file_(file) {}
  std::string_view take(std::size_t n) {
    if (n > bytes_.size())
      throw CheckpointError("checkpoint " + file_.string() + " is damaged: it ends too early; remove it to start over");
    const auto taken = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return taken;
  }
  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  /// How many things of so many bytes follow: no more than there is room for.
  std::size_t count(std::size_t bytes_each) {
    const auto n = get<std::uint64_t>();
    if (n > bytes_.size() / bytes_each) take(bytes_.size() + 1);
    return static_cast<std::size_t>(n);
  }
  void get_floats(std::span<float> values) {
    if (get<std::uint64_t>() != values.size())
      throw CheckpointError("checkpoint " + file_.string() + " is of another network; remove it to start over");
    const auto bytes = take(values.size() * sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
  }

 private:
  std::string_view bytes_;
  const std::filesystem::path& file_;
};

/// An open file descriptor.
class File {
 public:
  File(const std::filesystem::path& path, int flags) : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) fail("open");
  }
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void flush() {
    if (::fsync(descriptor_) != 0) fail("fsync");
  }

 private:
  [[noreturn]] void fail(const char* call) const {
    const int code = errno;
    throw std::runtime_error("checkpoint " + path_.string() + ": " + call + ": " + std::strerror(code) + file_advice(code));
  }
  std::filesystem::path path_;
  int descriptor_;
};

/// A file's name that no other process and no other call has, gone again unless it was renamed.
class TemporaryName {
 public:
  explicit TemporaryName(const std::filesystem::path& file) : path_(file) {
    static std::atomic<unsigned> count{0};
    path_ += "." + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".part";
  }
  ~TemporaryName() {
    std::error_code ignored;
    if (!renamed_) std::filesystem::remove(path_, ignored);
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  const std::filesystem::path& path() const { return path_; }
  void rename_to(const std::filesystem::path& file) {
    if (::rename(path_.c_str(), file.c_str()) != 0) {
      const int code = errno;
      throw std::runtime_error("checkpoint " + file.string() + ": rename: " + std::strerror(code) + file_advice(code));
    }
    renamed_ = true;
  }

 private:
  std::filesystem::path path_;
  bool renamed_ = false;
};

}  // namespace

std::uint64_t checkpoint_hash(std::string_view bytes) {
  std::uint64_t state = hash(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(8, bytes.size() - i));
    state = mixed(state ^ word) + kGoldenGamma;
  }
  return state;
}

void write_checkpoint(const std::filesystem::path& file, const std::string& identity, const std::vector<std::span<float>>& state,
                      const TrainingHistory& history) {
  std::string bytes(history.steps.empty() ? kBetweenEpochs : kInsideAnEpoch);
  put(bytes, static_cast<std::uint64_t>(identity.size()));
  bytes += identity;
  put(bytes, static_cast<std::uint64_t>(history.epochs.size()));
  for (const EpochMetrics& epoch : history.epochs) {
    put(bytes, epoch.epoch);
    for (const double value : {epoch.learning_rate, epoch.train_loss, epoch.train_accuracy, epoch.validation_loss,
                               epoch.validation_accuracy, epoch.test_accuracy.value_or(-1.0), epoch.seconds}) {
      put(bytes, value);
    }
  }
  if (!history.steps.empty()) {
    put(bytes, static_cast<std::uint64_t>(history.steps.size()));
    for (const BatchResult& step : history.steps) {
      put(bytes, step.loss_sum);
      put(bytes, step.correct);
    }
    put(bytes, history.steps_seconds);
  }
  for (const auto values : state) put_floats(bytes, values);
  put(bytes, checkpoint_hash(bytes));

  const auto directory = file.parent_path().empty() ? std::filesystem::path(".") : file.parent_path();
  if (std::error_code error; !std::filesystem::create_directories(directory, error) && error) {
    throw std::runtime_error("checkpoint directory " + directory.string() + ": " + error.message() + file_advice(error.value()));
  }
  TemporaryName temporary(file);
  {
    File out(temporary.path(), O_WRONLY | O_CREAT | O_TRUNC);
    out.write(bytes);
    out.flush();
  }
  temporary.rename_to(file);
  File(directory, O_RDONLY | O_DIRECTORY).flush();
}

TrainingHistory read_checkpoint(const std::filesystem::path& file, const std::string& identity,
                                const std::vector<std::span<float>>& state) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw CheckpointError("checkpoint " + file.string() + ": cannot be opened: " + std::strerror(errno));
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  Reader reader(bytes, file);
  const std::string_view version = reader.take(kBetweenEpochs.size());
  if (version != kBetweenEpochs && version != kInsideAnEpoch)
    throw CheckpointError(file.string() + " is not a checkpoint of this version; remove it to start over");
  const std::string_view found = reader.take(reader.get<std::uint64_t>());
  if (found != identity) throw CheckpointError("checkpoint " + file.string() + " is of another run: " + std::string(found.substr(0, 400)));
  if (bytes.size() < 8 || checkpoint_hash(std::string_view(bytes).substr(0, bytes.size() - 8)) !=
                              Reader(std::string_view(bytes).substr(bytes.size() - 8), file).get<std::uint64_t>()) {
    throw CheckpointError("checkpoint " + file.string() + " is damaged: its contents do not match their hash; remove it to start over");
  }
  TrainingHistory history;
  history.epochs.resize(reader.count(sizeof(int) + 7 * sizeof(double)));
  for (EpochMetrics& epoch : history.epochs) {
    epoch.epoch = reader.get<int>();
    double test = 0;
    for (double* const value : {&epoch.learning_rate, &epoch.train_loss, &epoch.train_accuracy, &epoch.validation_loss,
                                &epoch.validation_accuracy, &test, &epoch.seconds}) {
      *value = reader.get<double>();
    }
    if (test >= 0) epoch.test_accuracy = test;
  }
  if (version == kInsideAnEpoch) {
    history.steps.resize(reader.count(sizeof(double) + sizeof(int)));
    for (BatchResult& step : history.steps) {
      step.loss_sum = reader.get<double>();
      step.correct = reader.get<int>();
    }
    history.steps_seconds = reader.get<double>();
  }
  for (const auto values : state) reader.get_floats(values);
  return history;
}

}  // namespace actsearch
