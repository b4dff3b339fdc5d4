#include "db/sqlite/schema.h"

#include <array>
#include <string>
#include <thread>

#include "db/sql/leaderboard.h"
#include "db/sql/provisional.h"
#include "db/sqlite/identity.h"

namespace actsearch {
namespace {

using sqlite::Connection;

constexpr const char* kVersion1 = R"sql(
CREATE TABLE study (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, space TEXT NOT NULL, strategy TEXT NOT NULL, seed INTEGER NOT NULL,
  recipe TEXT NOT NULL, data TEXT NOT NULL, conditions TEXT NOT NULL, program_commit TEXT NOT NULL, machine TEXT NOT NULL,
  created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (kind, space, strategy, seed, recipe, data, conditions)) STRICT;

CREATE TABLE candidate (
  id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, formula TEXT NOT NULL, name TEXT NOT NULL, parameters INTEGER NOT NULL) STRICT;

CREATE TABLE recipe (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE rejection (
  study INTEGER NOT NULL REFERENCES study, formula TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (study, formula)) STRICT, WITHOUT ROWID;

CREATE TABLE trial (
  id INTEGER PRIMARY KEY,
  candidate INTEGER NOT NULL REFERENCES candidate, recipe INTEGER NOT NULL REFERENCES recipe, seed INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'released')),
  attempts INTEGER NOT NULL, owner TEXT NOT NULL, lease_until_ms INTEGER NOT NULL, started TEXT, finished TEXT,
  validation_accuracy REAL, best_test_accuracy REAL, final_test_accuracy REAL, train_loss REAL,
  beta TEXT NOT NULL DEFAULT '[]', epochs INTEGER NOT NULL DEFAULT 0, seconds REAL,
  failure TEXT NOT NULL DEFAULT '', failure_detail TEXT NOT NULL DEFAULT '',
  UNIQUE (candidate, recipe, seed)) STRICT;
CREATE INDEX trial_running ON trial (owner) WHERE status = 'running';
CREATE INDEX trial_failed ON trial (recipe) WHERE status = 'failed';

CREATE TABLE study_trial (
  study INTEGER NOT NULL REFERENCES study, trial INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  PRIMARY KEY (study, trial)) STRICT, WITHOUT ROWID;
CREATE INDEX study_trial_by_trial ON study_trial (trial);

CREATE TABLE epoch (
  trial INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE, epoch INTEGER NOT NULL,
  learning_rate REAL, train_loss REAL, train_accuracy REAL, validation_loss REAL, validation_accuracy REAL, test_accuracy REAL,
  seconds REAL, PRIMARY KEY (trial, epoch)) STRICT, WITHOUT ROWID;

CREATE VIEW studies AS
  SELECT id AS study, kind, space, strategy, seed, recipe, data, conditions, program_commit, machine, created FROM study;
CREATE VIEW candidates AS SELECT id AS candidate, fingerprint, formula, name, parameters FROM candidate;
CREATE VIEW rejections AS SELECT study, formula, reason FROM rejection;
CREATE VIEW trials AS
  SELECT t.id AS trial, c.formula, c.name, r.name AS recipe, t.seed, t.status,
         coalesce(t.validation_accuracy, t.final_test_accuracy) AS accuracy,
         t.validation_accuracy, t.best_test_accuracy, t.final_test_accuracy, t.train_loss,
         CASE WHEN json_valid(t.beta) THEN json_extract(t.beta, '$[0].mean') END AS beta0, t.beta, t.epochs, t.seconds,
         t.attempts, t.owner, t.started, t.finished, t.candidate, t.recipe AS recipe_id
  FROM trial t JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe;
CREATE VIEW study_trials AS SELECT study, trial FROM study_trial;
CREATE VIEW epochs AS
  SELECT e.trial, c.formula, c.name, r.name AS recipe, t.seed, e.epoch, e.learning_rate, e.train_loss, e.train_accuracy,
         e.validation_loss, e.validation_accuracy, e.test_accuracy, e.seconds
  FROM epoch e JOIN trial t ON t.id = e.trial JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe;
CREATE VIEW failures AS
  SELECT t.id AS trial, c.formula, c.name, r.name AS recipe, t.seed, t.failure AS reason, t.failure_detail AS detail, t.epochs,
         t.seconds, t.finished
  FROM trial t JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe WHERE t.status = 'failed';
)sql";

/// Standings: what a leaderboard shows of a candidate, kept up to date by every finished trial, so that no query sums over trials.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE standing (
  recipe INTEGER NOT NULL REFERENCES recipe, candidate INTEGER NOT NULL REFERENCES candidate,
  n INTEGER NOT NULL, mean REAL NOT NULL, low REAL, high REAL, best REAL NOT NULL, beta REAL, epochs INTEGER NOT NULL,
  seconds REAL NOT NULL, PRIMARY KEY (recipe, candidate)) STRICT, WITHOUT ROWID;
CREATE INDEX standing_by_mean ON standing (recipe, mean DESC);
CREATE INDEX standing_by_low ON standing (recipe, low DESC, mean DESC);
CREATE INDEX standing_by_seconds ON standing (recipe, seconds, mean DESC);
CREATE INDEX standing_by_n ON standing (recipe, n DESC, mean DESC);

ALTER TABLE recipe ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
UPDATE recipe SET done = (SELECT count(*) FROM trial WHERE trial.recipe = recipe.id AND status = 'done');

CREATE VIEW recipes AS SELECT id AS recipe_id, name AS recipe, text, done FROM recipe;
CREATE VIEW leaderboard AS
  SELECT c.formula, c.name, r.name AS recipe, s.mean, s.n, s.low, s.high, s.best, s.beta AS beta0, s.epochs, s.seconds,
         s.candidate, s.recipe AS recipe_id
  FROM standing s JOIN candidate c ON c.id = s.candidate JOIN recipe r ON r.id = s.recipe;
)sql";

/// Where in its space a study found a trial's candidate: what a strategy that learns is told again when its study goes on.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE study_trial ADD COLUMN place INTEGER;
DROP VIEW study_trials;
CREATE VIEW study_trials AS SELECT study, trial, place FROM study_trial;
)sql";

/// What is known of a trial where it paused inside an epoch: the rungs of a race that are no whole epochs.
constexpr const char* kVersion4 = R"sql(
CREATE TABLE pause (
  trial INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE, epoch INTEGER NOT NULL, step INTEGER NOT NULL,
  epoch_steps INTEGER NOT NULL, train_loss REAL NOT NULL, train_accuracy REAL NOT NULL, seconds REAL NOT NULL,
  PRIMARY KEY (trial, epoch, step)) STRICT, WITHOUT ROWID;

CREATE VIEW pauses AS
  SELECT p.trial, c.formula, c.name, r.name AS recipe, t.seed, p.epoch, p.step, p.epoch_steps,
         p.epoch + 1.0 * p.step / p.epoch_steps AS epochs, p.train_loss, p.train_accuracy, p.seconds
  FROM pause p JOIN trial t ON t.id = p.trial JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe;
)sql";

/// How far a trial has come that is not ended: told by its process as it trains, and exact where the trial was given back.
constexpr const char* kVersion5 = R"sql(
ALTER TABLE trial ADD COLUMN trained_epochs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN trained_steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN epoch_steps INTEGER NOT NULL DEFAULT 0;
UPDATE trial SET trained_epochs = (SELECT count(*) FROM epoch WHERE trial = trial.id) WHERE status = 'released';
UPDATE trial SET (trained_steps, epoch_steps) =
    (SELECT coalesce(max(step), 0), coalesce(max(epoch_steps), 0) FROM pause WHERE trial = trial.id AND epoch = trial.trained_epochs)
  WHERE status = 'released';

CREATE VIEW running AS
  SELECT t.id AS trial, c.formula, c.name, r.name AS recipe, t.seed,
         t.trained_epochs + coalesce(1.0 * t.trained_steps / nullif(t.epoch_steps, 0), 0.0) AS epochs,
         nullif(CAST(substr(r.text, instr(r.text, ' epochs=') + 8) AS INTEGER), 0) AS planned_epochs, t.started,
         strftime('%Y-%m-%dT%H:%M:%fZ', t.lease_until_ms / 1000.0, 'unixepoch') AS lease_until, t.owner, t.candidate,
         t.recipe AS recipe_id
  FROM trial t JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe
  WHERE t.status = 'running' AND t.lease_until_ms > (julianday('now') - 2440587.5) * 86400000;
)sql";

/// How far a trial has come that was given back, and its training loss there: what a leaderboard says of what a race has stopped. In an
/// index, so that it reads as many rows as it shows. With each recipe the deviation of a seed, and its margin: by how much the bound of a
/// single trial lies below it. So a view can rank, and it ranks within one set of conditions.
constexpr const char* kVersion6 = R"sql(
ALTER TABLE trial ADD COLUMN reached REAL;
ALTER TABLE trial ADD COLUMN reached_loss REAL;
CREATE INDEX trial_reached ON trial (recipe, reached DESC, reached_loss) WHERE status = 'released' AND reached IS NOT NULL;

CREATE VIEW paused AS
  SELECT t.id AS trial, c.formula, c.name, r.name AS recipe, t.seed, t.reached AS epochs, t.reached_loss AS train_loss,
         t.candidate, t.recipe AS recipe_id
  FROM trial t JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe
  WHERE t.status = 'released' AND t.reached IS NOT NULL;

ALTER TABLE recipe ADD COLUMN deviation REAL;
ALTER TABLE recipe ADD COLUMN degrees INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipe ADD COLUMN several INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipe ADD COLUMN margin REAL;
DROP VIEW recipes;
CREATE VIEW recipes AS SELECT id AS recipe_id, name AS recipe, text, done, deviation, degrees FROM recipe;

DROP VIEW leaderboard;
CREATE VIEW standings AS
  SELECT row_number() OVER (PARTITION BY s.recipe ORDER BY coalesce(s.mean - r.margin / sqrt(s.n), s.mean) DESC, c.formula) AS rank,
         c.formula, c.name, r.name AS recipe, s.mean, s.n, s.low, s.high, s.mean - r.margin / sqrt(s.n) AS bound, s.best, s.beta AS beta0,
         s.epochs, s.seconds, s.candidate, s.recipe AS recipe_id
  FROM standing s JOIN candidate c ON c.id = s.candidate JOIN recipe r ON r.id = s.recipe;
CREATE VIEW leaderboard AS
  SELECT * FROM standings WHERE recipe_id = (
    SELECT id FROM recipe WHERE done > 0
    ORDER BY text IN (SELECT recipe FROM study WHERE kind = 'search') DESC, done DESC, id LIMIT 1);
)sql";
void fill_version6(Connection& connection) {
  note_all_reached(connection);
  refresh_every_spread(connection);
}

/// Functions are told apart beyond [-5, 5] and close to 0. Checkpoints may still have the name that the fingerprint before gave them.
constexpr const char* kVersion7 = R"sql(
ALTER TABLE candidate ADD COLUMN former TEXT NOT NULL DEFAULT '';
)sql";

/// When a lease ends by the clock of its machine since that was started, in milliseconds, beside the wall clock's: 0 of rows that older
/// versions claimed. And how many processes in a row left a trial without a further epoch.
constexpr const char* kVersion8 = R"sql(
ALTER TABLE trial ADD COLUMN lease_until_boot_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
)sql";

struct Step {
  const char* sql;
  void (*fill)(Connection&);  ///< what the step computes beyond SQL; may be null
};
/// Step i makes version i + 1 of version i. A step that has been released never changes.
constexpr std::array<Step, kSchemaVersion> kSteps = {{{kVersion1, nullptr},
                                                      {kVersion2, [](Connection& connection) { refresh_every_standing(connection); }},
                                                      {kVersion3, nullptr},
                                                      {kVersion4, nullptr},
                                                      {kVersion5, nullptr},
                                                      {kVersion6, fill_version6},
                                                      {kVersion7, tell_functions_apart},
                                                      {kVersion8, nullptr}}};

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) { throw DatabaseError(file.string() + ": " + why); }

/// The schema version; 0 of an empty file. DatabaseError for a file of another program, or of a newer version of this one.
int read_version(Connection& connection) {
  // One statement, so that a file which another process is just filling is seen before or after, not between.
  auto header = connection.prepare(
      "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version");
  header.step();
  const auto application = header.integer(0), version = header.integer(1);
  const bool empty = application == 0 && version == 0 && header.integer(2) == 0;
  if (empty) return 0;
  if (application != kApplicationId) {
    refuse(connection.file(), "is an SQLite database, but not one of actsearch; it is left as it is: choose another file");
  }
  if (version > kSchemaVersion) {
    refuse(connection.file(), "was written by a newer actsearch (schema version " + std::to_string(version) +
                                  ", this program knows up to " + std::to_string(kSchemaVersion) +
                                  "): use that version, or choose another file");
  }
  return static_cast<int>(version);
}

/// The connection, or for a file of an older version its copy in memory, brought up to date there.
std::unique_ptr<Connection> current(std::unique_ptr<Connection> connection) {
  const int version = read_version(*connection);
  if (version == 0) refuse(connection->file(), "is empty: run a search into it first");
  if (version == kSchemaVersion) return connection;
  auto copy = Connection::copy_in_memory(*connection);
  migrate(*copy);
  copy->refuse_writing();
  return copy;
}

void require_file_name(const std::filesystem::path& file) {
  if (file.empty()) throw DatabaseError("the database file has no name");
  if (std::filesystem::is_directory(file)) refuse(file, "is a directory: name a file in it");
}

void require_directory_of(const std::filesystem::path& file) {
  const auto directory = std::filesystem::absolute(file).parent_path();
  if (!std::filesystem::is_directory(directory)) refuse(file, "there is no directory " + directory.string() + ": create it first");
}

/// The switch to WAL needs the file to itself for a moment, and SQLite does not wait for that by its own busy timeout.
void enter_wal(Connection& connection, std::chrono::milliseconds busy_timeout) {
  const auto deadline = std::chrono::steady_clock::now() + busy_timeout;
  for (;;) {
    try {
      auto mode = connection.prepare("PRAGMA journal_mode = WAL");
      mode.step();
      if (mode.text(0) == "wal") return;
      refuse(connection.file(), "its file system cannot hold a write-ahead log (" + mode.text(0) + " is all it offers): use a local disk");
    } catch (const sqlite::Error& error) {
      if (error.cause() != sqlite::Cause::kLocked || std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

void migrate(Connection& connection, int version) {
  while (read_version(connection) < version) {
    sqlite::Transaction transaction(connection);
    const int from = read_version(connection);  // again, now that no other process can migrate meanwhile
    if (from >= version) return;
    const Step& step = kSteps.at(static_cast<std::size_t>(from));
    connection.execute(step.sql);
    if (step.fill) step.fill(connection);
    connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
    connection.execute("PRAGMA user_version = " + std::to_string(from + 1));
    transaction.commit();
  }
}

void require_usable(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout) {
  require_file_name(file);
  require_directory_of(file);
  if (!std::filesystem::exists(file)) return;
  try {
    Connection connection(file, Connection::Mode::kReadOnly, busy_timeout);
    read_version(connection);
  } catch (const sqlite::Error& error) {
    if (error.cause() != sqlite::Cause::kCannotOpen) throw;  // as one whose directory cannot be written: opening it says what to do
  }
}

std::unique_ptr<Connection> open_for_writing(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout) {
  require_file_name(file);
  require_directory_of(file);
  auto connection = std::make_unique<Connection>(file, Connection::Mode::kCreate, busy_timeout);
  if (connection->read_only()) refuse(file, "is read-only: allow writing to the file, or choose another one");
  read_version(*connection);  // refuses before anything is changed
  enter_wal(*connection, busy_timeout);
  connection->execute("PRAGMA synchronous = FULL");
  migrate(*connection);
  return connection;
}

std::unique_ptr<Connection> open_for_reading(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout) {
  require_file_name(file);
  if (!std::filesystem::exists(file)) refuse(file, "there is no such file: run a search into it first");
  try {
    return current(std::make_unique<Connection>(file, Connection::Mode::kReadOnly, busy_timeout));
  } catch (const sqlite::Error& error) {
    if (error.cause() != sqlite::Cause::kCannotOpen) throw;
  }
  // The directory does not let SQLite place its -wal and -shm files. The file alone is whole unless a log lies beside it.
  const std::filesystem::path log = file.string() + "-wal";
  if (std::filesystem::exists(log) && std::filesystem::file_size(log) > 0) {
    refuse(file, "its directory cannot be written, and the newest results are still in " + log.string() +
                     ": copy both files to a directory where you may write, and open the copy");
  }
  return current(std::make_unique<Connection>(file, Connection::Mode::kImmutable, busy_timeout));
}

}  // namespace actsearch
