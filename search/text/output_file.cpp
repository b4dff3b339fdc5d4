#include "search/text/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

namespace actsearch {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, int error) {
  throw std::runtime_error(file.string() + ": cannot be written: " + std::strerror(error));
}

/// A file of its own that goes when it was not renamed.
class Unfinished {
 public:
  explicit Unfinished(const std::filesystem::path& target) : path_(target) {
    path_ += "." + std::to_string(getpid()) + ".part";
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(target, errno);
  }
  ~Unfinished() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!path_.empty()) unlink(path_.c_str());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  /// 0 or the error.
  int write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return written == 0 ? EIO : errno;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fsync(descriptor_) != 0) return errno;
    const int closed = close(descriptor_);
    descriptor_ = -1;
    return closed == 0 ? 0 : errno;
  }
  /// 0 or the error. The target is there in full or not at all.
  int become(const std::filesystem::path& target, bool replace) {
    // A link, unlike a new name, is refused where something is; the first name goes with this object.
    if (!replace) return link(path_.c_str(), target.c_str()) == 0 ? 0 : errno;
    if (rename(path_.c_str(), target.c_str()) != 0) return errno;
    path_.clear();
    return 0;
  }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace

void require_writable(const std::filesystem::path& file, bool force) {
  std::error_code unknown;
  const auto status = std::filesystem::status(file, unknown);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_regular_file(status)) throw std::invalid_argument(file.string() + " is there and not a regular file");
  if (!force) throw std::invalid_argument(file.string() + " exists; --force replaces it");
}

void write_file(const std::filesystem::path& file, std::string_view bytes, bool force) {
  std::error_code unknown;
  // What a link points to is replaced, not the link.
  const auto target = std::filesystem::is_symlink(file, unknown) ? std::filesystem::weakly_canonical(file) : file;
  Unfinished unfinished(target);
  if (const int error = unfinished.write(bytes); error != 0) fail(file, error);
  if (const int error = unfinished.become(target, force); error != 0) fail(file, error);
}

}  // namespace actsearch
