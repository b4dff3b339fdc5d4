/// A store in a PostgreSQL database, for searches on many machines. Schema: docs/schema.md.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "db/store.h"

namespace actsearch {

/// Connects to the database that `address` names, a URI as libpq reads it, and makes the tables where asked to write. A server's clock
/// judges leases. A call that loses the connection makes it again, for `busy_timeout` at most before it asks Store::when_busy. Opening
/// itself does not wait for a server. DatabaseError where this build has no PostgreSQL.
std::unique_ptr<Store> open_postgresql(const std::string& address, Store::Access access, std::chrono::milliseconds busy_timeout);

/// Throws what opening with kCreate would throw. Creates and changes nothing.
void require_usable_postgresql(const std::string& address, std::chrono::milliseconds busy_timeout);

/// The database's name, as far as the address tells it; else its service's, PGDATABASE, or "postgresql". No slashes.
std::string name_of_postgresql(const std::string& address);

}  // namespace actsearch
