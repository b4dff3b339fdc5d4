#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <random>
#include <set>

#include "db/sqlite/schema.h"
#include "db/sqlite/store.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

using Crash = SqliteTest;

constexpr int kTrials = 400, kEpochs = 3;

double accuracy_of(int seed) { return 0.5 + seed * 1e-4; }

/// Runs the study, telling each trial through the pipe once finish() has said that it is stored.
int run_study(const std::filesystem::path& file, int report) {
  SqliteStore db(file, Store::Access::kCreate);
  Search search(db);
  for (int seed = 0; seed < kTrials; ++seed) {
    Claim claim;
    if (search.claim("x", static_cast<std::uint64_t>(seed), &claim) != ClaimState::kClaimed) continue;
    std::vector<EpochRecord> epochs;
    for (int epoch = 0; epoch < kEpochs; ++epoch) epochs.push_back(epoch_record(epoch));
    db.add_epoch(claim.trial, epochs[0]);
    usleep(1000);  // so that on a fast disk, too, the kills end before the study does
    if (!db.finish(claim.trial, accuracy(accuracy_of(seed)), epochs)) return 1;
    if (write(report, &seed, sizeof seed) != sizeof seed) return 2;
  }
  return 0;
}

TEST_F(Crash, KilledAtFiftyRandomMomentsNothingIsLostAndNothingDoubled) {
  constexpr int kKills = 50;
  std::mt19937 random(20171016);
  std::uniform_int_distribution<int> moment_us(0, 15'000);
  std::set<int> reported;
  int killed = 0;
  // Kills that long after the process started, or after it finished its first trial.
  const auto run = [&](std::optional<int> kill_after_us, bool after_first_trial) {
    int report[2];
    if (pipe(report) != 0) throw std::runtime_error("pipe failed");
    const pid_t child = start_process([&] { return run_study(file_, report[1]); });
    close(report[1]);
    if (kill_after_us) {
      pollfd first{report[0], POLLIN, 0};
      if (after_first_trial) poll(&first, 1, -1);
      usleep(static_cast<useconds_t>(*kill_after_us));
      kill(child, SIGKILL);
    }
    for (int seed = 0; read(report[0], &seed, sizeof seed) == sizeof seed;) {
      EXPECT_TRUE(reported.insert(seed).second) << "seed " << seed << " was run twice";
    }
    close(report[0]);
    return wait_for(child);
  };
  for (int i = 0; i < kKills; ++i) {
    killed += run(moment_us(random), i % 2 == 1) == -SIGKILL;
    {
      const auto connection = open_for_writing(file_, 1s);
      auto check = connection->prepare("PRAGMA integrity_check");
      ASSERT_TRUE(check.step());
      ASSERT_EQ(check.text(0), "ok");
    }
    const SqliteStore db = open();
    EXPECT_EQ(cell(db, "SELECT count(*) <= 1 FROM trials WHERE status = 'running'"), "1") << "a process leaves at most its trial in flight";
    EXPECT_EQ(cell(db, "SELECT count(*) FROM trials WHERE status = 'done' AND epochs <> 3"), "0");
    std::set<int> stored;
    for (const auto& row : db.query("SELECT seed FROM trials WHERE status = 'done'").rows) stored.insert(std::stoi(*row[0]));
    EXPECT_TRUE(std::includes(stored.begin(), stored.end(), reported.begin(), reported.end())) << "a finished trial is lost";
  }
  EXPECT_EQ(killed, kKills);
  EXPECT_EQ(run(std::nullopt, false), 0) << "the last run resumes and completes";

  const SqliteStore db = open();
  EXPECT_EQ(cell(db, "SELECT count(*) || ' ' || count(DISTINCT seed) FROM trials WHERE status = 'done'"), "400 400");
  EXPECT_EQ(cell(db, "SELECT count(*) FROM epochs"), std::to_string(kTrials * kEpochs));
  EXPECT_EQ(cell(db, "SELECT done FROM recipes"), std::to_string(kTrials));
  const LeaderboardRow row = db.leaderboard({}).at(0);
  EXPECT_EQ(row.n, kTrials);
  EXPECT_NEAR(row.mean, (accuracy_of(0) + accuracy_of(kTrials - 1)) / 2, 1e-12);
}

}  // namespace
}  // namespace actsearch::testing
