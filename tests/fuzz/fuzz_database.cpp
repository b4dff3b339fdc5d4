// Files in the place of a database: what readers make of them, and then a run that writes.

#include <fstream>
#include <stdexcept>

#include "db/sqlite/store.h"
#include "tests/fuzz/fuzz.h"

using namespace actsearch;
using namespace std::chrono_literals;

namespace {

/// Runs what may end in an error of the file, and in no other.
template <class Body>
void guarded(const Body& body) {
  try {
    body();
  } catch (const DatabaseError& error) {
    fuzz::require(!error.busy(), "nobody else has the file");
  } catch (const QueryError&) {
  } catch (const std::exception& error) {
    fuzz::require(false, std::string("an error says what to do about the file: ") + error.what());
  }
}

void read(const std::filesystem::path& file) {
  const SqliteStore db(file, Store::Access::kReadOnly, 100ms);
  for (const auto sort : {LeaderboardQuery::Sort::kAccuracy, LeaderboardQuery::Sort::kLowerBound, LeaderboardQuery::Sort::kTime}) {
    guarded([&] { db.leaderboard({.recipe = {}, .top = 5, .sort = sort, .reference = "fingerprint of x", .known_spread = nullptr}); });
  }
  guarded([&] { db.provisional({}, 5); });
  guarded([&] { db.failures({}); });
  guarded([&] { db.studies(); });
  guarded([&] { db.seed_spread({}); });
  guarded([&] { db.studies_with("fingerprint of x", {}); });
  guarded([&] { db.observations(1); });
  guarded([&] { db.rung(1, 1, 1, 0); });
  guarded([&] { db.unfinished(1, 1); });
  guarded([&] { db.counts(1); });
  guarded([&] { db.tickets().out(); });
  for (Id trial = 1; trial < 6; ++trial) guarded([&] { db.tickets().find(trial); });
  guarded([&] { db.tickets().begun(1, 1, 0, 2); });
  for (const char* view : {"trials", "epochs", "running", "paused", "leaderboard", "standings", "failures"}) {
    guarded([&] { db.query(std::string("SELECT * FROM ") + view + " LIMIT 100"); });
  }
}

void write(const std::filesystem::path& file) {
  SqliteStore db(file, Store::Access::kCreate, 100ms);
  const Id study = db.study({"search", "core1", "random", 1, "r", "d", "{}", "c", "m"});
  const Id recipe = db.recipe("vgg-s", "vgg-s epochs=4"), candidate = db.candidate({"fingerprint of x", "x", "", 0});
  for (const std::uint64_t seed : {0, 1, 77}) {
    Claim claim;
    if (db.claim(study, candidate, recipe, seed, 60s, &claim) != ClaimState::kClaimed) continue;
    EpochRecord epoch;
    epoch.train_loss = 1;
    db.add_epoch(claim.trial, epoch);
    db.renew(60s, {{claim.trial, {1, 0, 10}}});
    TrialRecord result;
    result.validation_accuracy = 0.5;
    if (seed == 1)
      db.pause(claim.trial, {epoch}, {});
    else
      db.finish(claim.trial, result, {epoch});
  }
  for (const std::uint64_t seed : {2, 77, 78}) {
    HandedOut out;
    guarded([&] { db.tickets().hand_out(candidate, recipe, seed, {.study = study, .lease = 60s, .judged = true}, 3, &out); });
    guarded([&] { db.tickets().add_epoch(out.ticket, {}); });
    guarded([&] { db.tickets().renew(out.ticket, {}); });
    guarded([&] { seed == 2 ? db.tickets().finish(out.ticket, {}) : db.tickets().give_back(out.ticket); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Directory directory;
  const auto file = directory.path() / "x.db";
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(file.string() + suffix);
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  guarded([&] { read(file); });
  guarded([&] { write(file); });
  guarded([&] { read(file); });
  return 0;
}
