/// The tables and views in a PostgreSQL database. What they mean: docs/schema.md.
#pragma once

#include "db/postgresql/connection.h"

namespace actsearch::postgresql {

/// Makes the tables, in the first schema of the session's search_path, or brings them to kSchemaVersion. An advisory lock lets one process
/// do so at a time. DatabaseError for a database of another program, or of a newer version of this one; it is then left as it is.
void bring_up_to_date(Connection& connection);

/// DatabaseError unless the tables are there in the version that this program knows.
void require_current(Connection& connection);

/// DatabaseError for what bring_up_to_date would refuse. Changes nothing.
void require_ours(Connection& connection);

}  // namespace actsearch::postgresql
