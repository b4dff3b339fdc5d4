#include "db/sqlite/file.h"

#include "db/sqlite/schema.h"

namespace actsearch::sqlite {

File::File(const std::filesystem::path& path, Store::Access access, std::chrono::milliseconds busy_timeout)
    : Database(busy_timeout),
      path_(path),
      connection_(access == Store::Access::kCreate ? open_for_writing(path, busy_timeout) : open_for_reading(path, busy_timeout)) {
  connection_->when_busy([this] { return wait_on(); });
}

std::string File::identity() { return std::filesystem::canonical(path_).string(); }

}  // namespace actsearch::sqlite
