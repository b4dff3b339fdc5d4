/// The version of the tables and views in docs/schema.md, one for every kind of database.
#pragma once

namespace actsearch {

inline constexpr int kSchemaVersion = 8;  ///< the version that this program writes

}  // namespace actsearch
