/// A store in one SQLite file. Schema: docs/schema.md.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "db/sql/store.h"

namespace actsearch {

class SqliteStore : public SqlStore, public Queries {
 public:
  /// Opens, creating and migrating where asked to write (WAL, synchronous=FULL). Every call waits at most `busy_timeout` for another
  /// process's lock.
  SqliteStore(const std::filesystem::path& file, Access access, std::chrono::milliseconds busy_timeout = std::chrono::seconds(20));

  using Queries::query;
  Table query(std::string_view sql, std::size_t row_limit) const override;
  const Queries* queries() const override { return this; }

 private:
  std::filesystem::path file_;
  std::chrono::milliseconds busy_timeout_;
};

}  // namespace actsearch
