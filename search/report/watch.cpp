#include "search/report/watch.h"

#include <sys/stat.h>

#include <ostream>
#include <utility>

#include "db/open/open_store.h"
#include "db/reads.h"
#include "search/report/page.h"
#include "search/report/report_data.h"

namespace actsearch {
namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 250ms;
constexpr auto kMeasuring = 200ms;  ///< at most, of kernels, each time the file is read: a search may be at work beside
constexpr auto kBusy = 2s;          ///< that a reader waits for the file's lock

std::string written(const struct stat& status) {
  return std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + " ";
}

}  // namespace

Watch::Watch(std::filesystem::path database, std::ostream& log)
    : database_(std::move(database)), log_(log), times_(kMeasuring), seen_(stamp()) {
  read();
  watching_.emplace(kPeriod, [this] { look(); });
}

Snapshot Watch::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Snapshot Watch::wait_for_news(std::uint64_t version, std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  news_.wait_for(lock, patience, [&] { return closed_ || snapshot_.version > version; });
  return snapshot_;
}

void Watch::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  news_.notify_all();
}

Watch::Stamp Watch::stamp() const {
  Stamp result;
  if (!names_of(database_.string()).is_file) {  // a server is asked once a second
    result.written = std::to_string(std::chrono::steady_clock::now().time_since_epoch() / 1s);
    return result;
  }
  struct stat status {};
  if (stat(database_.c_str(), &status) == 0) {
    result.device = status.st_dev;
    result.inode = status.st_ino;
    result.written = written(status);
  }
  if (stat((database_.string() + "-wal").c_str(), &status) == 0) result.written += written(status);
  return result;
}

void Watch::publish(Snapshot snapshot) {
  {
    const std::lock_guard lock(mutex_);
    snapshot.version = snapshot_.version + 1;
    snapshot_ = std::move(snapshot);
  }
  news_.notify_all();
}

void Watch::read() {
  const auto store = open_store(database_, Store::Access::kReadOnly, kBusy);
  const Store& database = *store;
  std::string contents = database.change_token();
  Snapshot next = snapshot();
  if (next.json && contents == contents_ && next.problem.empty()) return;
  auto json = std::make_shared<const std::string>(report_json(database, names_of(database_.string()).label, forms_, times_));
  next.page = std::make_shared<const std::string>(page(*json, PageKind::kLive));
  next.json = std::move(json);
  next.problem.clear();
  contents_ = std::move(contents);
  publish(std::move(next));
}

void Watch::look() noexcept {
  try {
    const auto begun = std::chrono::steady_clock::now();
    if (begun < rest_until_) return;
    const Stamp now = stamp();
    const bool trouble = !snapshot().problem.empty();
    if (now == seen_ && !trouble) return;
    if (seen_.inode != 0 && now.inode != 0 && (now.inode != seen_.inode || now.device != seen_.device)) {
      log_ << "the database has been replaced by another file; that one is served now\n" << std::flush;
      contents_.clear();
    }
    seen_ = now;
    read();
    rest_until_ = std::chrono::steady_clock::now() + (std::chrono::steady_clock::now() - begun);  // at most half of one processor's time
  } catch (const std::exception& error) {
    Snapshot last = snapshot();
    if (!last.problem.empty()) return;  // said already
    log_ << "the database cannot be read: " << error.what() << '\n' << std::flush;
    last.problem = "The database cannot be read at the moment; the terminal of the server says why. What is shown is the last state.";
    publish(std::move(last));
  }
}

}  // namespace actsearch
