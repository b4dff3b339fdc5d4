#include "db/open/open_store.h"

#include <array>
#include <string_view>

#include "db/postgresql/store.h"
#include "db/sqlite/schema.h"
#include "db/sqlite/store.h"

namespace actsearch {
namespace {

/// One kind of store: the texts that name one, and how it is opened.
struct StoreKind {
  std::string_view prefix;  ///< of its texts; empty: all that no row before it names
  std::unique_ptr<Store> (*open)(const std::string& place, Store::Access access, std::chrono::milliseconds busy_timeout);
  void (*require_usable)(const std::string& place);
  PlaceNames (*names)(const std::string& place);
};

constexpr std::chrono::seconds kBusy(20);

void usable_server(const std::string& place) { require_usable_postgresql(place, kBusy); }
PlaceNames names_of_server(const std::string& place) {
  const std::string name = name_of_postgresql(place);
  return {.is_file = false, .label = name, .beside = name};
}

constexpr std::array<StoreKind, 3> kKinds{{
    {"postgresql://", open_postgresql, usable_server, names_of_server},
    {"postgres://", open_postgresql, usable_server, names_of_server},
    {"",
     [](const std::string& place, Store::Access access, std::chrono::milliseconds busy_timeout) -> std::unique_ptr<Store> {
       return std::make_unique<SqliteStore>(place, access, busy_timeout);
     },
     [](const std::string& place) { require_usable(place, kBusy); },
     [](const std::string& place) {
       const std::filesystem::path file = place;
       return PlaceNames{.is_file = true, .label = file.filename().string(), .beside = file};
     }},
}};

const StoreKind& kind_of(const std::string& place) {
  for (const StoreKind& kind : kKinds) {
    if (place.starts_with(kind.prefix)) return kind;
  }
  throw std::logic_error("the last kind of store takes every text");
}

}  // namespace

std::unique_ptr<Store> open_store(const std::string& place, Store::Access access, std::chrono::milliseconds busy_timeout) {
  return kind_of(place).open(place, access, busy_timeout);
}

PlaceNames names_of(const std::string& place) { return kind_of(place).names(place); }

void require_usable(const std::string& place) { kind_of(place).require_usable(place); }

}  // namespace actsearch
