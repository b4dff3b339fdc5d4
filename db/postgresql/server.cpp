#include "db/postgresql/server.h"

#include <algorithm>
#include <thread>

#include "db/postgresql/schema.h"

namespace actsearch::postgresql {

Server::Server(const std::string& address, Store::Access access, std::chrono::milliseconds busy_timeout)
    : Database(busy_timeout),
      connection_(address, access == Store::Access::kCreate ? Connection::Mode::kWrite : Connection::Mode::kReadOnly, busy_timeout),
      jitter_(std::random_device{}()) {
  if (access == Store::Access::kCreate)
    bring_up_to_date(connection_);
  else
    require_current(connection_);
}

std::string Server::identity() {
  return first_row("SELECT pg_postmaster_start_time()::text || ' ' || current_database() || ' ' || current_schema()", sql::text_of).value();
}

sql::Connection& Server::connection() {
  if (!connection_.is_lost()) return connection_;
  connection_.reconnect();
  require_current(connection_);  // a newer program may have brought the tables up to date meanwhile
  return connection_;
}

bool Server::try_again(const DatabaseError& error, int tries, std::chrono::steady_clock::time_point& since) {
  const auto* const ours = dynamic_cast<const Error*>(&error);
  if (!ours) return false;
  constexpr int kConflicts = 100;
  switch (ours->cause()) {
    case Cause::kConflict:
      return tries < kConflicts;
    case Cause::kLocked:
      break;  // lock_timeout was the wait
    case Cause::kLost: {
      if (std::chrono::steady_clock::now() - since >= busy_timeout()) break;
      // Many workers lose a server at one time, and are not to come back at one time.
      const int longest = std::min(20 << std::min(tries, 6), 1000);
      std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(longest / 2, longest)(jitter_)));
      return true;
    }
    case Cause::kStatement:
    case Cause::kOther:
      return false;
  }
  if (!wait_on()) return false;
  since = std::chrono::steady_clock::now();
  return true;
}

}  // namespace actsearch::postgresql
