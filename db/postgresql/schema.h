/// The tables and views in a PostgreSQL database. What they mean: docs/schema.md.
#pragma once

#include <span>

#include "db/postgresql/connection.h"
#include "db/sql/schema_version.h"

namespace actsearch::postgresql {

inline constexpr int kFirstVersion = 8;  ///< the first that a PostgreSQL database can have

/// What brings older tables up to date: scripts, the first for tables of kFirstVersion.
using Steps = std::span<const char* const>;
constexpr int newest_of(Steps steps) { return kFirstVersion + static_cast<int>(steps.size()); }

/// Makes the tables, in the first schema of the session's search_path, or brings them to kSchemaVersion, in one transaction. An advisory
/// lock lets one process do so at a time. DatabaseError for a database of another program, of a newer version of this one, or of an older
/// version while other sessions use it; it is then left as it is. From here on the session keeps others from changing the tables.
void bring_up_to_date(Connection& connection);
/// The same with the steps of another version of the program.
void bring_up_to_date(Connection& connection, Steps steps);

/// DatabaseError unless the tables are there in the version that this program knows. Like the above, keeps others from changing them.
void require_current(Connection& connection);

/// DatabaseError for a database of another program, or of a newer version of this one. Changes nothing.
void require_ours(Connection& connection);

}  // namespace actsearch::postgresql
