#include "db/sqlite/file.h"

#include <thread>

#include "db/sqlite/schema.h"

namespace actsearch::sqlite {
namespace {

class Busy : public DatabaseError {
 public:
  using DatabaseError::DatabaseError;
  bool busy() const override { return true; }
};

}  // namespace

File::File(const std::filesystem::path& path, Store::Access access, std::chrono::milliseconds busy_timeout)
    : path_(path),
      busy_timeout_(busy_timeout),
      connection_(access == Store::Access::kCreate ? open_for_writing(path, busy_timeout) : open_for_reading(path, busy_timeout)) {
  connection_->when_busy([this] { return may_wait_on_ && wait_on_ && wait_on_(); });
}

void File::when_busy(std::function<bool()> wait_on) {
  const std::lock_guard lock(mutex_);
  wait_on_ = std::move(wait_on);
}

File::Hasty::Hasty(File& file) : lock_(file.mutex_, std::try_to_lock), file_(file) {
  const auto end = std::chrono::steady_clock::now() + file.busy_timeout_;
  // Not a timed mutex: ThreadSanitizer of GCC 12 takes its waits for none.
  while (!lock_ && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    static_cast<void>(lock_.try_lock());
  }
  if (!lock_) throw Busy(file.path_.string() + ": another process keeps the file locked, and another call waits for it");
  file.may_wait_on_ = false;
}

}  // namespace actsearch::sqlite
