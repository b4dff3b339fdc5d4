// Studies, candidates, recipes and refusals: what trials belong to.

#include "db/sql/records.h"

#include <string>
#include <tuple>

#include "db/sql/store.h"

namespace actsearch {
namespace {

using sql::Connection;
using sql::Statement;

/// The id that `select` finds by the values, after inserting them with `insert` where there is none. Both name the values ?1, ?2, …;
/// `more` are values of the insertion alone.
template <class... Values, class... More>
Id find_or_insert(Connection& connection, const char* select, const std::string& insert, const std::tuple<Values...>& values,
                  const More&... more) {
  return std::apply(
      [&](const Values&... key) {
        for (;;) {
          if (const auto id = sql::first_row(connection, select, sql::integer_of, key...)) return *id;  // the usual case writes nothing
          const auto inserted =
              sql::first_row(connection, insert + " ON CONFLICT DO NOTHING RETURNING id", sql::integer_of, key..., more...);
          if (inserted) return *inserted;  // else another process was faster, and it is found now
        }
      },
      values);
}

}  // namespace

Id store_study(Connection& connection, const StudyRecord& study, std::optional<std::string_view> created) {
  return find_or_insert(connection,
                        "SELECT id FROM study WHERE kind = ?1 AND space = ?2 AND strategy = ?3 AND seed = ?4 AND recipe = ?5 AND data = ?6 "
                        "AND conditions = ?7",
                        "INSERT INTO study (kind, space, strategy, seed, recipe, data, conditions, program_commit, machine, created)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, coalesce(?10, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))",
                        std::tie(study.kind, study.space, study.strategy, study.seed, study.recipe, study.data, study.conditions),
                        study.commit, study.machine, created);
}

Id store_recipe(Connection& connection, std::string_view name, std::string_view text) {
  return find_or_insert(connection, "SELECT id FROM recipe WHERE text = ?1", "INSERT INTO recipe (text, name) VALUES (?1, ?2)",
                        std::tie(text), name);
}

Id SqlStore::study(const StudyRecord& study) {
  return database_.with([&](sql::Connection& connection) { return store_study(connection, study); });
}

Id SqlStore::candidate(const CandidateRecord& candidate) {
  return database_.with([&](sql::Connection& connection) -> Id {
    const Id id = find_or_insert(connection, "SELECT id FROM candidate WHERE fingerprint = ?1",
                                 "INSERT INTO candidate (fingerprint, formula, name, parameters) VALUES (?1, ?2, ?3, ?4)",
                                 std::tie(candidate.fingerprint), candidate.formula, candidate.name, candidate.parameters);
    if (candidate.name.empty()) return id;
    const auto nameless = sql::first_row(connection, "SELECT name = '' FROM candidate WHERE id = ?1", sql::integer_of, id);
    if (nameless.value_or(0) != 0) connection.run("UPDATE candidate SET name = ?2 WHERE id = ?1 AND name = ''", id, candidate.name);
    return id;
  });
}

std::optional<StoredCandidate> SqlStore::candidate_with(std::string_view fingerprint) const {
  return database_.first_row(
      "SELECT id, formula, name, parameters FROM candidate WHERE fingerprint = ?1",
      [&](const Statement& row) {
        return StoredCandidate{row.integer(0), {std::string(fingerprint), row.text(1), row.text(2), static_cast<int>(row.integer(3))}};
      },
      fingerprint);
}

std::string SqlStore::former_fingerprint(Id candidate) const {
  return database_.first_row("SELECT former FROM candidate WHERE id = ?1", sql::text_of, candidate).value_or("");
}

Id SqlStore::recipe(std::string_view name, std::string_view text) {
  return database_.with([&](sql::Connection& connection) { return store_recipe(connection, name, text); });
}

void SqlStore::reject(Id study, std::string_view formula, std::string_view reason) {
  database_.with([&](sql::Connection& connection) -> void {
    if (sql::first_row(connection, "SELECT 1 FROM rejection WHERE study = ?1 AND formula = ?2", sql::integer_of, study, formula)) return;
    connection.run("INSERT INTO rejection (study, formula, reason) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", study, formula, reason);
  });
}

std::vector<StudyRecord> SqlStore::studies() const {
  return database_.rows("SELECT kind, space, strategy, seed, recipe, data, conditions, program_commit, machine FROM study ORDER BY id",
                        [](const Statement& row) {
                          return StudyRecord{row.text(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3)),
                                             row.text(4), row.text(5), row.text(6), row.text(7),
                                             row.text(8)};
                        });
}

}  // namespace actsearch
