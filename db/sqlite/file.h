/// An SQLite file that a store has open.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "db/sql/database.h"
#include "db/sqlite/connection.h"
#include "db/store.h"

namespace actsearch::sqlite {

class File : public sql::Database {
 public:
  /// Opens, creating and migrating where asked to write (WAL, synchronous=FULL).
  File(const std::filesystem::path& path, Store::Access access, std::chrono::milliseconds busy_timeout);

  std::string identity() override;  ///< the path without links

 protected:
  std::string name() const override { return path_.string() + ": another process keeps the file locked"; }
  sql::Connection& connection() override { return *connection_; }
  /// SQLite itself waits for locks, and asks when_busy.
  bool try_again(const DatabaseError&, int, std::chrono::steady_clock::time_point&) override { return false; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace actsearch::sqlite
