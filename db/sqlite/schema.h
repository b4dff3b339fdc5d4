/// The tables and views of a database file, version by version. What they mean: docs/schema.md.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "db/sql/schema_version.h"
#include "db/sqlite/connection.h"

namespace actsearch {

inline constexpr int kApplicationId = 0x61637473;  ///< "acts", in SQLite's header: tells our files from others

/// Opens for writing, creating the file or bringing it to kSchemaVersion; WAL, synchronous=FULL. DatabaseError if that cannot be.
std::unique_ptr<sqlite::Connection> open_for_writing(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout);

/// Throws what open_for_writing would throw for the sake of the file or its directory; creates and changes nothing.
void require_usable(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout);

/// Opens for reading, beside any writer. Where the directory cannot be written and no writer is active, the file is read as it
/// stands. A file of an older version stays as it is: what is read is a copy in memory, brought to kSchemaVersion there. DatabaseError for
/// a file that is absent, not ours, or of a newer version.
std::unique_ptr<sqlite::Connection> open_for_reading(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout);

/// Brings a file that is empty or ours to `version`, each step in a transaction of its own; newer ones are a DatabaseError.
void migrate(sqlite::Connection& connection, int version = kSchemaVersion);

}  // namespace actsearch
