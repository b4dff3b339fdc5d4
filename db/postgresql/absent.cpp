// In place of the rest of this folder where libpq was not found at build time.

#include "db/postgresql/store.h"

namespace actsearch {
namespace {

[[noreturn]] void refuse() {
  throw DatabaseError(
      "this build has no PostgreSQL: install libpq (Debian: libpq-dev; scripts/setup.sh --with-postgresql) and build again, "
      "or name an SQLite file");
}

}  // namespace

std::unique_ptr<Store> open_postgresql(const std::string&, Store::Access, std::chrono::milliseconds) { refuse(); }
void require_usable_postgresql(const std::string&, std::chrono::milliseconds) { refuse(); }

std::string name_of_postgresql(const std::string&) { refuse(); }

}  // namespace actsearch
