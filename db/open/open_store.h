/// Which store a text names. Whoever needs a store opens it here and then knows the interface alone.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "db/store.h"

namespace actsearch {

/// Opens the store that `place` names: the path of an SQLite file. kCreate makes what is not there, and brings an older one to this
/// version. Every call of the store waits at most `busy_timeout` for another process's lock.
std::unique_ptr<Store> open_store(const std::string& place, Store::Access access,
                                  std::chrono::milliseconds busy_timeout = std::chrono::seconds(20));

/// Throws what opening with kCreate would throw because of the place. Creates and changes nothing. Commands call it early, before they know
/// whether they will need the store.
void require_usable(const std::string& place);

}  // namespace actsearch
