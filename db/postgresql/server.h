/// A PostgreSQL database that a store has open.
#pragma once

#include <chrono>
#include <random>
#include <string>

#include "db/postgresql/connection.h"
#include "db/sql/database.h"
#include "db/store.h"

namespace actsearch::postgresql {

class Server : public sql::Database {
 public:
  /// Connects, and makes the tables or brings them up to date where asked to write.
  Server(const std::string& address, Store::Access access, std::chrono::milliseconds busy_timeout);

  std::string identity() override;  ///< the server, by when it was started; the database and the schema

 protected:
  std::string name() const override { return connection_.name(); }
  /// A connection that was lost is made again.
  sql::Connection& connection() override;
  /// Tries every quarter of a second or so until `busy_timeout` is over, and then asks when_busy.
  bool try_again(const DatabaseError& error, int tries, std::chrono::steady_clock::time_point& since) override;

 private:
  Connection connection_;
  std::minstd_rand jitter_;
};

}  // namespace actsearch::postgresql
