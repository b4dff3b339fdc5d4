#include "db/sqlite/identity.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/sql/leaderboard.h"
#include "grammar/candidate.h"
#include "grammar/fingerprint.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "grammar/space.h"

namespace actsearch {
namespace {

using sqlite::Connection;

/// What the formula computes. Nothing where it cannot be read, or is refused today.
std::optional<Candidate> read(const std::string& formula) {
  try {
    auto considered = consider(parse(formula));
    if (auto* const candidate = std::get_if<Candidate>(&considered)) return std::move(*candidate);
  } catch (const NotationError&) {
  }
  return std::nullopt;
}

/// A name that belongs to one function.
bool is_reserved(const std::string& name) {
  return std::any_of(activations().begin(), activations().end(), [&](const OperatorInfo& activation) { return activation.name == name; });
}

void renew_fingerprint(Connection& connection, Id id, const std::string& name, const Candidate& candidate) {
  // Where two would become one, the later one stays as it is.
  if (connection.run("UPDATE OR IGNORE candidate SET former = fingerprint, fingerprint = ?2 WHERE id = ?1", id, candidate.fingerprint) ==
      0) {
    return;
  }
  if (!candidate.name.empty() || is_reserved(name)) connection.run("UPDATE candidate SET name = ?2 WHERE id = ?1", id, candidate.name);
}

void renew_fingerprints(Connection& connection) {
  struct Stored {
    Id id;
    std::string formula, name;
  };
  std::vector<Stored> all;
  {
    auto row = connection.prepare("SELECT id, formula, name FROM candidate ORDER BY id");
    while (row.step()) all.push_back({row.integer(0), row.text(1), row.text(2)});
  }
  for (const Stored& stored : all) {
    if (const auto candidate = read(stored.formula)) renew_fingerprint(connection, stored.id, stored.name, *candidate);
  }
}

std::vector<std::string> listed(Connection& connection, Id study, const char* key) {
  std::vector<std::string> names;
  auto row = connection.prepare(
      "SELECT j.value FROM study s, json_each(CASE WHEN json_valid(s.conditions) THEN s.conditions ELSE '{}' END, '$.' || ?2) j WHERE s.id "
      "= ?1",
      study, std::string_view(key));
  while (row.step()) names.push_back(row.text(0));
  return names;
}

/// The space that a study searches; nothing where this program does not have it.
std::optional<Space> space_of(Connection& connection, Id study) {
  std::string name;
  {
    auto row = connection.prepare("SELECT space FROM study WHERE id = ?1", study);
    if (row.step()) name = row.text(0);
  }
  try {
    return Space(name, listed(connection, study, "unary"), listed(connection, study, "binary"));
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

/// The id of the candidate that the formula is, which is added where it is new.
Id home_of(Connection& connection, const Candidate& candidate, const std::string& former) {
  {
    auto row = connection.prepare("SELECT id FROM candidate WHERE fingerprint = ?1", candidate.fingerprint);
    if (row.step()) return row.integer(0);
  }
  connection.run("INSERT INTO candidate (fingerprint, formula, name, parameters, former) VALUES (?1, ?2, ?3, ?4, ?5)",
                 candidate.fingerprint, candidate.formula, candidate.name, candidate.program.parameter_count(), former);
  return connection.last_insert_id();
}

/// Trials that trained another function than the one they are kept under. True if there were any.
bool part_trials(Connection& connection) {
  struct Trial {
    Id id, study;
    std::uint64_t place;
    std::string formula, fingerprint, former;
  };
  std::vector<Trial> all;
  {
    // The first study that had a trial is the one that trained it.
    auto row = connection.prepare(
        "SELECT t.id, min(s.study), s.place, c.formula, c.fingerprint, c.former FROM trial t JOIN study_trial s ON s.trial = t.id"
        " JOIN candidate c ON c.id = t.candidate WHERE s.place IS NOT NULL GROUP BY t.id");
    while (row.step()) {
      all.push_back({row.integer(0), row.integer(1), static_cast<std::uint64_t>(row.integer(2)), row.text(3), row.text(4), row.text(5)});
    }
  }
  std::map<Id, std::optional<Space>> spaces;
  bool parted = false;
  for (const Trial& trial : all) {
    const auto space = spaces.try_emplace(trial.study, space_of(connection, trial.study)).first;
    if (!space->second || trial.place >= space->second->size()) continue;
    const std::string trained = to_text(space->second->at(trial.place));
    if (trained == trial.formula) continue;
    const auto candidate = read(trained);
    if (!candidate || candidate->fingerprint == trial.fingerprint) continue;
    // A function that has such a trial already keeps it.
    parted = connection.run("UPDATE OR IGNORE trial SET candidate = ?2 WHERE id = ?1", trial.id,
                            home_of(connection, *candidate, trial.former)) > 0 ||
             parted;
  }
  return parted;
}

void forget_refusals(Connection& connection) {
  std::vector<std::string> formulas;
  {
    auto row = connection.prepare("SELECT DISTINCT formula FROM rejection WHERE reason = ?1", to_text(Rejection::kConstant));
    while (row.step()) formulas.push_back(row.text(0));
  }
  for (const std::string& formula : formulas) {
    if (read(formula)) connection.run("DELETE FROM rejection WHERE formula = ?1", formula);
  }
}

}  // namespace

void tell_functions_apart(Connection& connection) {
  renew_fingerprints(connection);
  if (part_trials(connection)) {
    connection.run("DELETE FROM standing");
    refresh_all_standings(connection);
  }
  forget_refusals(connection);
}

}  // namespace actsearch
