/// Which store a text names. Whoever needs a store opens it here and then knows the interface alone.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "db/store.h"

namespace actsearch {

/// Opens the store that `place` names: the path of an SQLite file, or the address of a PostgreSQL database, postgresql://USER@HOST/NAME.
/// DatabaseError for an address with a password, and where this build has no PostgreSQL. kCreate makes what is not there, and brings an
/// older one to this version. Every call of the store waits at most `busy_timeout` for another process's lock, or for a server that went
/// away.
std::unique_ptr<Store> open_store(const std::string& place, Store::Access access,
                                  std::chrono::milliseconds busy_timeout = std::chrono::seconds(20));

/// Throws what opening with kCreate would throw because of the place. Creates and changes nothing. Commands call it early, before they know
/// whether they will need the store.
void require_usable(const std::string& place);

/// What a place is called.
struct PlaceNames {
  bool is_file = true;
  std::string label;             ///< for people: a file's name, or a database's
  std::filesystem::path beside;  ///< what files that belong to it are named after: the file, or NAME in the working directory
};
PlaceNames names_of(const std::string& place);

}  // namespace actsearch
