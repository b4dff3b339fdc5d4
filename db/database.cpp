#include "db/database.h"

#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "db/leaderboard.h"
#include "db/owner.h"
#include "db/provisional.h"
#include "db/schema.h"
#include "db/sqlite.h"

namespace actsearch {
namespace {

using sqlite::Connection;
using sqlite::Transaction;

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();  // comparable between processes
}

/// When a lease ends, by both clocks that may judge it.
struct LeaseEnd {
  explicit LeaseEnd(std::chrono::seconds lease)
      : wall_ms(now_ms() + std::chrono::milliseconds(lease).count()), boot_ms(boot_clock_ms() + std::chrono::milliseconds(lease).count()) {}
  std::int64_t wall_ms, boot_ms;
};

/// The id that `select` finds by the values, after inserting them with `insert` where there is none. Both name the values ?1, ?2, …;
/// `more` are values of the insertion alone.
template <class... Values, class... More>
Id find_or_insert(Connection& connection, const char* select, const char* insert, const std::tuple<Values...>& values,
                  const More&... more) {
  return std::apply(
      [&](const Values&... key) {
        const auto find = [&]() -> std::optional<Id> {
          auto row = connection.prepare(select, key...);
          return row.step() ? std::optional<Id>(row.integer(0)) : std::nullopt;
        };
        if (const auto id = find()) return *id;  // the usual case takes no write lock
        Transaction transaction(connection);
        if (const auto id = find()) return *id;
        connection.run(insert, key..., more...);
        const Id id = connection.last_insert_id();
        transaction.commit();
        return id;
      },
      values);
}

struct StoredTrial {
  Id id = 0;
  std::string status, owner;
  std::int64_t lease_until_ms = 0, lease_until_boot_ms = 0;  ///< the latter 0 where an older version claimed it
  std::int64_t attempts = 1, deaths = 0;
  bool in_study = false;
};

std::optional<StoredTrial> find_trial(Connection& connection, Id study, Id candidate, Id recipe, std::uint64_t seed) {
  auto row = connection.prepare(
      "SELECT id, status, owner, lease_until_ms, lease_until_boot_ms, attempts, deaths,"
      " EXISTS (SELECT 1 FROM study_trial WHERE study = ?4 AND trial = trial.id)"
      " FROM trial WHERE candidate = ?1 AND recipe = ?2 AND seed = ?3",
      candidate, recipe, seed, study);
  if (!row.step()) return std::nullopt;
  return StoredTrial{row.integer(0), row.text(1),    row.text(2),    row.integer(3),
                     row.integer(4), row.integer(5), row.integer(6), row.integer(7) != 0};
}

/// Machines' wall clocks may differ, and are set; the clock since a machine's start is the same for all its processes.
bool lease_is_over(const StoredTrial& trial) {
  const bool one_clock = trial.lease_until_boot_ms > 0 && shares_boot_clock(trial.owner);
  return one_clock ? trial.lease_until_boot_ms <= boot_clock_ms() : trial.lease_until_ms <= now_ms();
}

/// kDone or kTaken; nothing where the trial is free to be taken.
std::optional<ClaimState> settled(const StoredTrial& trial) {
  if (trial.status == "done" || trial.status == "failed") return ClaimState::kDone;
  if (trial.status == "running" && !lease_is_over(trial) && !owner_is_gone(trial.owner)) return ClaimState::kTaken;
  return std::nullopt;
}

const char* const kOnlySelect = "only one SELECT (or WITH … SELECT) statement is allowed";

/// Of trial t, given back: whole epochs, and steps of the one after them.
const char* const kHowFar = " t.trained_epochs, t.trained_steps";

/// A trial that is running under the owner waits from now on, and how far it came is known; false if it is not running under the owner.
/// Within the caller's transaction.
bool give_back(Connection& connection, Id trial, std::string_view owner, const TrialProgress& reached) {
  const auto changed = connection.run(
      "UPDATE trial SET status = 'released', owner = '', trained_epochs = ?3, trained_steps = ?4, epoch_steps = ?5"
      " WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, owner, reached.epochs, reached.steps, reached.epoch_steps);
  if (changed > 0) note_reached(connection, trial);
  return changed > 0;
}

/// Whole epochs that are stored of a trial.
int stored_epochs(Connection& connection, Id trial) {
  auto row = connection.prepare("SELECT count(*) FROM epoch WHERE trial = ?1", trial);
  row.step();
  return static_cast<int>(row.integer(0));
}

/// Writes one epoch if the trial is running under the owner; false if it is not.
bool store_epoch(Connection& connection, Id trial, std::string_view owner, const EpochRecord& epoch) {
  const auto changed = connection.run(
      "INSERT OR REPLACE INTO epoch (trial, epoch, learning_rate, train_loss, train_accuracy, validation_loss, validation_accuracy,"
      " test_accuracy, seconds) SELECT id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, owner, epoch.epoch, epoch.learning_rate, epoch.train_loss, epoch.train_accuracy, epoch.validation_loss,
      epoch.validation_accuracy, epoch.test_accuracy, epoch.seconds);
  return changed > 0;
}

/// Whether a trial is running under the owner. Within the caller's transaction.
bool holds(Connection& connection, Id trial, std::string_view owner) {
  return connection.prepare("SELECT 1 FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running'", trial, owner).step();
}

/// Whoever has come further with a trial has not died of it. Within the caller's transaction.
void forget_deaths(Connection& connection, Id trial) { connection.run("UPDATE trial SET deaths = 0 WHERE id = ?1 AND deaths > 0", trial); }

/// Of a trial in the caller's transaction: claimed for the owner if it is free, and what came of it.
ClaimState take(Connection& connection, const StoredTrial& trial, std::chrono::seconds lease, Turn turn, const std::string& owner,
                Claim* claim) {
  if (const auto state = settled(trial)) return *state;
  // A trial found running died with its process: that attempt counts. One given back does not.
  const int died = trial.status == "running" ? 1 : 0;
  const std::int64_t deaths = trial.deaths + died;
  if (deaths > kDeathsToPutLast) {
    connection.run(
        "UPDATE trial SET status = 'failed', finished = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), deaths = ?2, failure = ?3,"
        " failure_detail = ?4, epochs = (SELECT count(*) FROM epoch WHERE trial = ?1) WHERE id = ?1",
        trial.id, deaths, kDiedReason,
        std::to_string(deaths) +
            " processes in a row ended while they trained it, without a further epoch: the program crashed, or memory ran out");
    *claim = {trial.id, static_cast<int>(trial.attempts)};
    return ClaimState::kGivenUp;
  }
  if (deaths == kDeathsToPutLast && turn != Turn::kLast) return ClaimState::kPutLast;
  const Claim taken{trial.id, static_cast<int>(trial.attempts + died)};
  const LeaseEnd end(lease);
  connection.run(
      "UPDATE trial SET attempts = ?2, deaths = ?3, status = 'running', owner = ?4, lease_until_ms = ?5, lease_until_boot_ms = ?6,"
      " started = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?1",
      trial.id, taken.attempt, deaths, owner, end.wall_ms, end.boot_ms);
  *claim = taken;
  return ClaimState::kClaimed;
}

/// For calls on a thread that trains: what the mutex guards is theirs within the usual wait or not at all, and the file likewise.
class Hasty {
 public:
  Hasty(std::mutex& mutex, bool& may_wait_on, const std::filesystem::path& file, std::chrono::milliseconds wait)
      : lock_(mutex, std::try_to_lock), may_wait_on_(may_wait_on) {
    const auto end = std::chrono::steady_clock::now() + wait;
    // Not a timed mutex: ThreadSanitizer of GCC 12 takes its waits for none.
    while (!lock_ && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      static_cast<void>(lock_.try_lock());
    }
    if (!lock_) throw Busy(file.string() + ": another process keeps the file locked, and another call waits for it");
    may_wait_on_ = false;
  }
  ~Hasty() { may_wait_on_ = true; }
  Hasty(const Hasty&) = delete;
  Hasty& operator=(const Hasty&) = delete;

 private:
  class Busy : public DatabaseError {
   public:
    using DatabaseError::DatabaseError;
    bool busy() const override { return true; }
  };
  std::unique_lock<std::mutex> lock_;
  bool& may_wait_on_;
};

}  // namespace

struct Database::Impl {
  std::filesystem::path file;
  std::chrono::milliseconds busy_timeout;
  std::string owner = new_owner();
  std::mutex mutex;  ///< held around every use of `connection` and of what follows
  std::unique_ptr<Connection> connection;
  std::function<bool()> wait_on;  ///< Database::when_busy
  bool may_wait_on = true;        ///< false within a call that must not hold up training
};

Database::Database(const std::filesystem::path& file, Access access, std::chrono::milliseconds busy_timeout)
    : impl_(std::make_unique<Impl>()) {
  impl_->file = file;
  impl_->busy_timeout = busy_timeout;
  impl_->connection = access == Access::kCreate ? open_for_writing(file, busy_timeout) : open_for_reading(file, busy_timeout);
  impl_->connection->when_busy([impl = impl_.get()] { return impl->may_wait_on && impl->wait_on && impl->wait_on(); });
}
void Database::require_usable(const std::filesystem::path& file) { actsearch::require_usable(file, std::chrono::seconds(20)); }
Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

const std::string& Database::owner() const { return impl_->owner; }

void Database::when_busy(std::function<bool()> wait_on) {
  const std::lock_guard lock(impl_->mutex);
  impl_->wait_on = std::move(wait_on);
}

Id Database::study(const StudyRecord& study) {
  const std::lock_guard lock(impl_->mutex);
  return find_or_insert(*impl_->connection,
                        "SELECT id FROM study WHERE kind = ?1 AND space = ?2 AND strategy = ?3 AND seed = ?4 AND recipe = ?5 AND data = ?6 "
                        "AND conditions = ?7",
                        "INSERT INTO study (kind, space, strategy, seed, recipe, data, conditions, program_commit, machine)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                        std::tie(study.kind, study.space, study.strategy, study.seed, study.recipe, study.data, study.conditions),
                        study.commit, study.machine);
}

Id Database::candidate(const CandidateRecord& candidate) {
  const std::lock_guard lock(impl_->mutex);
  Connection& connection = *impl_->connection;
  const Id id = find_or_insert(connection, "SELECT id FROM candidate WHERE fingerprint = ?1",
                               "INSERT INTO candidate (fingerprint, formula, name, parameters) VALUES (?1, ?2, ?3, ?4)",
                               std::tie(candidate.fingerprint), candidate.formula, candidate.name, candidate.parameters);
  if (candidate.name.empty()) return id;
  bool nameless = false;
  {
    auto row = connection.prepare("SELECT name = '' FROM candidate WHERE id = ?1", id);
    nameless = row.step() && row.integer(0) != 0;
  }
  if (nameless) connection.run("UPDATE candidate SET name = ?2 WHERE id = ?1 AND name = ''", id, candidate.name);
  return id;
}

std::optional<StoredCandidate> Database::candidate_with(std::string_view fingerprint) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare("SELECT id, formula, name, parameters FROM candidate WHERE fingerprint = ?1", fingerprint);
  if (!row.step()) return std::nullopt;
  return StoredCandidate{row.integer(0), {std::string(fingerprint), row.text(1), row.text(2), static_cast<int>(row.integer(3))}};
}

std::string Database::former_fingerprint(Id candidate) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare("SELECT former FROM candidate WHERE id = ?1", candidate);
  return row.step() ? row.text(0) : "";
}

Id Database::recipe(std::string_view name, std::string_view text) {
  const std::lock_guard lock(impl_->mutex);
  return find_or_insert(*impl_->connection, "SELECT id FROM recipe WHERE text = ?1", "INSERT INTO recipe (text, name) VALUES (?1, ?2)",
                        std::tie(text), name);
}

void Database::reject(Id study, std::string_view formula, std::string_view reason) {
  const std::lock_guard lock(impl_->mutex);
  {
    auto known = impl_->connection->prepare("SELECT 1 FROM rejection WHERE study = ?1 AND formula = ?2", study, formula);
    if (known.step()) return;
  }
  impl_->connection->run("INSERT OR IGNORE INTO rejection (study, formula, reason) VALUES (?1, ?2, ?3)", study, formula, reason);
}

ClaimState Database::claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                           std::optional<std::uint64_t> place, Turn turn) {
  const std::lock_guard lock(impl_->mutex);
  Connection& connection = *impl_->connection;
  auto trial = find_trial(connection, study, candidate, recipe, seed);
  if (trial && trial->in_study) {
    if (const auto state = settled(*trial)) return *state;  // a resumed study passes its finished trials without the write lock
  }
  Transaction transaction(connection);
  trial = find_trial(connection, study, candidate, recipe, seed);
  if (!trial) {
    connection.run(
        "INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms) VALUES (?1, ?2, ?3, 'released', 1, '', 0)",
        candidate, recipe, seed);
    trial = StoredTrial{connection.last_insert_id(), "released", "", 0, 0, 1, 0, false};
  }
  connection.run("INSERT OR IGNORE INTO study_trial (study, trial) VALUES (?1, ?2)", study, trial->id);
  if (place) connection.run("UPDATE study_trial SET place = ?3 WHERE study = ?1 AND trial = ?2", study, trial->id, *place);
  const ClaimState state = take(connection, *trial, lease, turn, impl_->owner, claim);
  transaction.commit();
  return state;
}

std::vector<Id> Database::renew(std::chrono::seconds lease, const std::vector<std::pair<Id, TrialProgress>>& progress) {
  const Hasty lock(impl_->mutex, impl_->may_wait_on, impl_->file, impl_->busy_timeout);
  Connection& connection = *impl_->connection;
  Transaction transaction(connection);
  const LeaseEnd end(lease);
  connection.run("UPDATE trial SET lease_until_ms = ?2, lease_until_boot_ms = ?3 WHERE owner = ?1 AND status = 'running'", impl_->owner,
                 end.wall_ms, end.boot_ms);
  std::vector<Id> lost;
  for (const auto& [trial, reached] : progress) {
    const auto changed = connection.run(
        "UPDATE trial SET trained_epochs = ?3, trained_steps = ?4, epoch_steps = ?5 WHERE id = ?1 AND owner = ?2 AND status = 'running'",
        trial, impl_->owner, reached.epochs, reached.steps, reached.epoch_steps);
    if (changed == 0) lost.push_back(trial);
  }
  transaction.commit();
  return lost;
}

bool Database::release(Id trial) {
  const std::lock_guard lock(impl_->mutex);
  Connection& connection = *impl_->connection;
  Transaction transaction(connection);
  if (!holds(connection, trial, impl_->owner)) return false;
  // Its epochs, its pauses and its place in studies go with it. Of one that processes died with, that stays known.
  if (connection.run("DELETE FROM trial WHERE id = ?1 AND deaths = 0", trial) == 0) {
    actsearch::give_back(connection, trial, impl_->owner, {stored_epochs(connection, trial), 0, 0});
  }
  transaction.commit();
  return true;
}

bool Database::give_back(Id trial, const std::vector<EpochRecord>& epochs, const TrialProgress& reached) {
  const std::lock_guard lock(impl_->mutex);
  Connection& connection = *impl_->connection;
  Transaction transaction(connection);
  for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, impl_->owner, epoch);
  const bool ours = actsearch::give_back(connection, trial, impl_->owner, reached);
  transaction.commit();
  return ours;
}

bool Database::add_epoch(Id trial, const EpochRecord& epoch) {
  const Hasty lock(impl_->mutex, impl_->may_wait_on, impl_->file, impl_->busy_timeout);
  Connection& connection = *impl_->connection;
  Transaction transaction(connection);
  const bool ours = store_epoch(connection, trial, impl_->owner, epoch);
  if (ours) forget_deaths(connection, trial);
  transaction.commit();
  return ours;
}

bool Database::pause(Id trial, const std::vector<EpochRecord>& epochs, const std::optional<PauseRecord>& pause) {
  const std::lock_guard lock(impl_->mutex);
  Connection& connection = *impl_->connection;
  Transaction transaction(connection);
  if (!holds(connection, trial, impl_->owner)) return false;
  for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, impl_->owner, epoch);
  if (pause) {
    connection.run(
        "INSERT OR REPLACE INTO pause (trial, epoch, step, epoch_steps, train_loss, train_accuracy, seconds)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        trial, pause->epoch, pause->step, pause->epoch_steps, pause->train_loss, pause->train_accuracy, pause->seconds);
  }
  forget_deaths(connection, trial);
  const TrialProgress reached{stored_epochs(connection, trial), pause ? pause->step : 0, pause ? pause->epoch_steps : 0};
  actsearch::give_back(connection, trial, impl_->owner, reached);
  transaction.commit();
  return true;
}

bool Database::finish(Id trial, const TrialRecord& result, const std::vector<EpochRecord>& epochs) {
  const std::lock_guard lock(impl_->mutex);
  Connection& connection = *impl_->connection;
  Transaction transaction(connection);
  if (!epochs.empty()) {
    connection.run("DELETE FROM epoch WHERE trial = (SELECT id FROM trial WHERE id = ?1 AND owner = ?2 AND status = 'running')", trial,
                   impl_->owner);
  }
  for (const EpochRecord& epoch : epochs) store_epoch(connection, trial, impl_->owner, epoch);
  const bool done = result.failure.empty();
  const auto changed = connection.run(
      "UPDATE trial SET status = ?3, finished = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), validation_accuracy = ?4, best_test_accuracy = ?5,"
      " final_test_accuracy = ?6, train_loss = ?7, beta = ?8, seconds = ?9, failure = ?10, failure_detail = ?11,"
      " epochs = (SELECT count(*) FROM epoch WHERE trial = ?1) WHERE id = ?1 AND owner = ?2 AND status = 'running'",
      trial, impl_->owner, done ? "done" : "failed", result.validation_accuracy, result.best_test_accuracy, result.final_test_accuracy,
      result.train_loss, result.beta.empty() ? "[]" : result.beta, result.seconds, result.failure, result.failure_detail);
  if (changed == 0) return false;  // someone took the trial over: nothing of ours is kept
  if (done) {
    Id candidate = 0, recipe = 0;
    {
      auto row = connection.prepare("SELECT candidate, recipe FROM trial WHERE id = ?1", trial);
      row.step();
      candidate = row.integer(0);
      recipe = row.integer(1);
    }
    connection.run("UPDATE recipe SET done = done + 1 WHERE id = ?1", recipe);
    refresh_standing(connection, candidate, recipe);
    refresh_spread(connection, recipe);
  }
  transaction.commit();
  return true;
}

std::optional<RankedRecipe> Database::ranked_recipe(const std::optional<std::string>& recipe) const {
  const std::lock_guard lock(impl_->mutex);
  return actsearch::ranked_recipe(*impl_->connection, recipe);
}

std::vector<LeaderboardRow> Database::leaderboard(const LeaderboardQuery& query) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<LeaderboardRow> rows;
  for (auto& standing : standings(*impl_->connection, query)) rows.push_back(std::move(standing.row));
  return rows;
}

std::optional<SeedSpread> Database::seed_spread(const LeaderboardQuery& query) const {
  const std::lock_guard lock(impl_->mutex);
  const auto ranked = actsearch::ranked_recipe(*impl_->connection, query.recipe);
  return ranked ? actsearch::seed_spread(*impl_->connection, *ranked, query.known_spread) : std::nullopt;
}

void Database::read(const std::function<void(sqlite::Connection&)>& body) const {
  const std::lock_guard lock(impl_->mutex);
  body(*impl_->connection);
}

Provisional Database::provisional(const std::optional<std::string>& recipe, int top) const {
  const std::lock_guard lock(impl_->mutex);
  return actsearch::provisional(*impl_->connection, recipe, top);
}

std::vector<CandidateRecord> Database::top_candidates(const LeaderboardQuery& query) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<CandidateRecord> candidates;
  for (auto& standing : standings(*impl_->connection, query)) candidates.push_back(std::move(standing.candidate));
  return candidates;
}

std::vector<FailureRow> Database::failures(const std::optional<std::string>& recipe) const {
  const std::lock_guard lock(impl_->mutex);
  std::set<Id> selected;
  for (const RankedRecipe& one : selected_recipes(*impl_->connection, recipe)) selected.insert(one.id);
  std::vector<FailureRow> rows;
  auto row = impl_->connection->prepare(
      "SELECT c.formula, r.name, t.failure, t.failure_detail, t.seed, r.id FROM trial t JOIN candidate c ON c.id = t.candidate"
      " JOIN recipe r ON r.id = t.recipe WHERE t.status = 'failed' ORDER BY t.id");
  while (row.step()) {
    if (!selected.contains(row.integer(5))) continue;
    rows.push_back({row.text(0), row.text(1), row.text(2), row.text(3), static_cast<std::uint64_t>(row.integer(4))});
  }
  return rows;
}

std::vector<Observation> Database::observations(Id study) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare(
      "SELECT s.place, coalesce(t.validation_accuracy, t.final_test_accuracy) FROM study_trial s JOIN trial t ON t.id = s.trial"
      " WHERE s.study = ?1 AND s.place IS NOT NULL AND t.status IN ('done', 'failed') ORDER BY t.finished, t.id",
      study);
  std::vector<Observation> all;
  while (row.step()) all.push_back({static_cast<std::uint64_t>(row.integer(0)), row.real(1)});
  return all;
}

std::vector<RungTrial> Database::rung(Id study, Id recipe, int epochs, std::int64_t steps) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare(
      std::string("SELECT c.id, c.fingerprint, c.formula, c.name, c.parameters, t.seed, s.place, t.status = 'released',") + kHowFar +
          " FROM study_trial s JOIN trial t ON t.id = s.trial JOIN candidate c ON c.id = t.candidate JOIN " +
          (steps > 0 ? "pause l ON l.trial = t.id AND l.epoch = ?3 AND l.step = ?4"
                     : "epoch l ON l.trial = t.id AND l.epoch = ?3 - 1 + ?4") +
          " WHERE s.study = ?1 AND t.recipe = ?2 ORDER BY l.train_loss, t.id",
      study, recipe, epochs, steps);
  std::vector<RungTrial> all;
  while (row.step()) {
    RungTrial trial{row.integer(0),
                    {row.text(1), row.text(2), row.text(3), static_cast<int>(row.integer(4))},
                    static_cast<std::uint64_t>(row.integer(5)),
                    {},
                    {}};
    if (!row.is_null(6)) trial.place = static_cast<std::uint64_t>(row.integer(6));
    if (row.integer(7) != 0) trial.given_back = {static_cast<int>(row.integer(8)), row.integer(9), true};
    all.push_back(std::move(trial));
  }
  return all;
}

std::vector<UnfinishedTrial> Database::unfinished(Id study, Id recipe) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare(
      std::string("SELECT c.id, c.fingerprint, c.formula, c.name, c.parameters, t.seed, s.place, t.status, t.owner, t.lease_until_ms,"
                  " t.lease_until_boot_ms,") +
          kHowFar +
          " FROM study_trial s JOIN trial t ON t.id = s.trial JOIN candidate c ON c.id = t.candidate"
          " WHERE s.study = ?1 AND t.recipe = ?2 AND t.status IN ('running', 'released') ORDER BY t.id",
      study, recipe);
  std::vector<UnfinishedTrial> all;
  while (row.step()) {
    if (settled({0, row.text(7), row.text(8), row.integer(9), row.integer(10), 1, 0, true})) continue;  // somebody is at work on it
    UnfinishedTrial trial{row.integer(0),
                          {row.text(1), row.text(2), row.text(3), static_cast<int>(row.integer(4))},
                          static_cast<std::uint64_t>(row.integer(5)),
                          {},
                          {}};
    if (!row.is_null(6)) trial.place = static_cast<std::uint64_t>(row.integer(6));
    if (row.text(7) == "released") trial.given_back = {static_cast<int>(row.integer(11)), row.integer(12), true};
    all.push_back(std::move(trial));
  }
  return all;
}

std::optional<GivenBack> Database::given_back(Id study, Id candidate, Id recipe, std::uint64_t seed) const {
  const std::lock_guard lock(impl_->mutex);
  auto row =
      impl_->connection->prepare(std::string("SELECT EXISTS (SELECT 1 FROM study_trial WHERE study = ?1 AND trial = t.id),") + kHowFar +
                                     " FROM trial t WHERE t.candidate = ?2 AND t.recipe = ?3 AND t.seed = ?4 AND t.status = 'released'",
                                 study, candidate, recipe, seed);
  if (!row.step()) return std::nullopt;
  return GivenBack{static_cast<int>(row.integer(1)), row.integer(2), row.integer(0) != 0};
}

std::optional<std::optional<double>> Database::score(std::string_view fingerprint, Id recipe) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare(
      "SELECT count(*), avg(CASE WHEN t.status = 'done' THEN coalesce(t.validation_accuracy, t.final_test_accuracy) END)"
      " FROM trial t JOIN candidate c ON c.id = t.candidate WHERE c.fingerprint = ?1 AND t.recipe = ?2 AND t.status IN ('done', 'failed')",
      fingerprint, recipe);
  row.step();
  if (row.integer(0) == 0) return std::nullopt;
  return row.real(1);
}

std::int64_t Database::trials(std::string_view recipe_text) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare("SELECT count(*) FROM trial t JOIN recipe r ON r.id = t.recipe WHERE r.text = ?1", recipe_text);
  row.step();
  return row.integer(0);
}

StudyCounts Database::counts(Id study) const {
  const std::lock_guard lock(impl_->mutex);
  auto row = impl_->connection->prepare(
      "SELECT count(DISTINCT t.candidate), count(*) FILTER (WHERE t.status = 'done'), count(*) FILTER (WHERE t.status = 'failed'),"
      " count(*) FILTER (WHERE t.status = 'running'), (SELECT count(*) FROM rejection WHERE study = ?1)"
      " FROM study_trial s JOIN trial t ON t.id = s.trial WHERE s.study = ?1",
      study);
  row.step();
  return {row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)};
}

std::vector<StudyRecord> Database::studies() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<StudyRecord> studies;
  auto row = impl_->connection->prepare(
      "SELECT kind, space, strategy, seed, recipe, data, conditions, program_commit, machine FROM study ORDER BY id");
  while (row.step()) {
    studies.push_back({row.text(0), row.text(1), row.text(2), static_cast<std::uint64_t>(row.integer(3)), row.text(4), row.text(5),
                       row.text(6), row.text(7), row.text(8)});
  }
  return studies;
}

std::vector<CandidateStudy> Database::studies_with(std::string_view fingerprint, const std::optional<std::string>& recipe) const {
  const std::lock_guard lock(impl_->mutex);
  return actsearch::studies_with(*impl_->connection, fingerprint, recipe);
}

std::string Database::view_names() const {
  const std::lock_guard lock(impl_->mutex);
  auto row =
      impl_->connection->prepare("SELECT group_concat(name, ', ') FROM (SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name)");
  row.step();
  return row.text(0);
}

Table Database::query(std::string_view sql, std::size_t row_limit) const {
  // A connection of its own: a long query holds up no trial, and what it may do is settled before it compiles.
  const auto connection = open_for_reading(impl_->file, impl_->busy_timeout);
  connection->allow_only_select();
  try {
    auto row = connection->prepare(sql);
    if (!row.is_select()) throw QueryError(kOnlySelect);
    Table table;
    for (int column = 0; column < row.columns(); ++column) table.columns.push_back(row.column_name(column));
    table.numeric.assign(table.columns.size(), true);
    while (row.step()) {
      if (table.rows.size() == row_limit) throw QueryError("more than " + std::to_string(row_limit) + " rows: add a LIMIT");
      auto& cells = table.rows.emplace_back(table.columns.size());
      for (int column = 0; column < row.columns(); ++column) {
        const auto i = static_cast<std::size_t>(column);
        if (row.is_null(column)) continue;
        if (!row.is_finite_number(column)) table.numeric[i] = false;
        cells[i] = row.text(column);
      }
    }
    return table;
  } catch (const sqlite::Error& error) {
    if (error.cause() != sqlite::Cause::kStatement) throw;
    if (error.reason() == "not authorized") throw QueryError(kOnlySelect);
    const bool unknown_table = error.reason().starts_with("no such table");
    throw QueryError("SQLite rejects the statement: " + error.reason() + (unknown_table ? "; there are " + view_names() : ""));
  }
}

}  // namespace actsearch
