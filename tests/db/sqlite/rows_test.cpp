// Rankings and claims as they stand in the file's tables: plans of statements, and rows that are damaged or older.

#include "db/owner.h"
#include "db/sqlite/connection.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

using InAFile = SqliteTest;

TEST_F(InAFile, EverySortOrderIsReadFromAnIndex) {
  { open(); }
  sqlite::Connection connection(file_, sqlite::Connection::Mode::kReadOnly, 1s);
  const std::vector<std::pair<std::string, std::string>> orders = {{"mean DESC", "standing_by_mean"},
                                                                   {"low DESC, s.mean DESC", "standing_by_low"},
                                                                   {"seconds, s.mean DESC", "standing_by_seconds"},
                                                                   {"n DESC, s.mean DESC", "standing_by_n"}};
  for (const auto& [order, index] : orders) {
    auto plan = connection.prepare(
        "EXPLAIN QUERY PLAN SELECT c.formula FROM standing s CROSS JOIN candidate c ON c.id = s.candidate"
        " WHERE s.recipe = 1 ORDER BY s." +
        order + ", c.formula LIMIT 20");
    std::string steps;
    while (plan.step()) steps += plan.text(3) + "\n";
    EXPECT_TRUE(contains(steps, index)) << steps;
    EXPECT_FALSE(contains(steps, "B-TREE FOR ORDER BY")) << "only ties are sorted:\n" << steps;
  }
}

/// What a damaged file may say: the readers answer something, or nothing, and neither wait nor fall.
TEST_F(InAFile, OfADamagedFileIsReadAllTheSame) {
  {
    SqliteStore db = open();
    Search search(db);
    for (int seed = 0; seed < 3; ++seed) {
      search.finished("x", static_cast<std::uint64_t>(seed), accuracy(0.5 + 0.01 * seed));
      search.finished("exp(x)", static_cast<std::uint64_t>(seed), accuracy(0.6 + 0.01 * seed));
    }
  }
  const std::vector<std::string> damages{
      "UPDATE standing SET n = 2147483647",
      "UPDATE standing SET n = 9223372036854775807",
      "UPDATE standing SET n = -5, low = NULL",
      "UPDATE standing SET n = 0",
      "UPDATE standing SET n = 2, low = NULL, mean = 1e308",
      "UPDATE standing SET n = 3, low = -1e308, mean = 9e999",
      "UPDATE recipe SET degrees = 9223372036854775807, deviation = 0.1",
      "UPDATE recipe SET degrees = 2147483647, deviation = 1e308, several = -7",
      "UPDATE recipe SET degrees = -4, deviation = NULL",
      "UPDATE recipe SET degrees = 5, deviation = NULL, text = ''",
      "UPDATE trial SET validation_accuracy = NULL, seconds = NULL, epochs = -1, beta = '[{\"mean\": \"x\"}]'",
  };
  for (const std::string& damage : damages) {
    sqlite::Connection(file_, sqlite::Connection::Mode::kCreate, 1s).execute(damage);
    const SqliteStore db(file_, Store::Access::kReadOnly);
    for (const auto sort : {LeaderboardQuery::Sort::kAccuracy, LeaderboardQuery::Sort::kLowerBound, LeaderboardQuery::Sort::kTime}) {
      LeaderboardQuery query;
      query.sort = sort;
      query.reference = "fingerprint of x";
      EXPECT_LE(db.leaderboard(query).size(), 2u) << damage;
      db.seed_spread(query);
    }
    db.provisional({}, 10);
    EXPECT_EQ(db.query("SELECT * FROM standings").rows.size(), 2u) << damage;
  }
  SqliteStore db = open();  // a trial that ends brings its own function's row up to date, and the recipe's deviation
  Search(db).finished("x", 9, accuracy(0.5));
  EXPECT_EQ(db.leaderboard({}).size(), 2u);
}

TEST_F(InAFile, IsReadFromAnIndex) {
  { open(); }
  sqlite::Connection connection(file_, sqlite::Connection::Mode::kReadOnly, 1s);
  auto plan = connection.prepare(
      "EXPLAIN QUERY PLAN SELECT t.reached FROM trial t WHERE t.recipe = 1 AND t.status = 'released' AND t.reached IS NOT NULL"
      " ORDER BY t.reached DESC, t.reached_loss LIMIT 20");
  std::string steps;
  while (plan.step()) steps += plan.text(3) + "\n";
  EXPECT_TRUE(contains(steps, "trial_reached")) << steps;
  EXPECT_FALSE(contains(steps, "TEMP B-TREE")) << steps;
}

/// Claims whose two clocks disagree: one of a process of this machine, and one that a process elsewhere might hold.
class Leases : public SqliteTest {
 protected:
  /// The state of a claim whose lease ends so many milliseconds from now, by the wall clock and by the clock since the machine's start.
  ClaimState state_of(const std::string& owner, std::int64_t wall_ms, std::int64_t boot_ms) {
    const std::int64_t wall =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    sqlite::Connection raw(file_, sqlite::Connection::Mode::kCreate, 1s);
    raw.run("UPDATE trial SET status = 'running', owner = ?1, lease_until_ms = ?2, lease_until_boot_ms = ?3, deaths = 0", owner,
            wall + wall_ms, boot_ms == kOldRow ? 0 : boot_clock_ms() + boot_ms);
    Claim claim;
    SqliteStore other = open();
    return Search(other).claim("x", 0, &claim);
  }
  static constexpr std::int64_t kOldRow = -1'000'000'000, kHour = 3'600'000, kSecond = 1'000;
};

TEST_F(Leases, OfThisMachineAreJudgedByItsOwnClockWhateverTheWallClockSays) {
  SqliteStore db = open();
  Search(db).claimed("x", 0);
  const std::string here = db.owner();
  EXPECT_EQ(state_of(here, -kHour, +kHour), ClaimState::kTaken) << "somebody has set the wall clock forward";
  EXPECT_EQ(state_of(here, +kHour, -kSecond), ClaimState::kClaimed) << "or back";
}

TEST_F(Leases, OfOtherMachinesAndOfOldRowsAreJudgedByTheWallClock) {
  SqliteStore db = open();
  Search(db).claimed("x", 0);
  const auto host_end = db.owner().find('/'), boot_end = db.owner().find('/', host_end + 1);
  const std::string elsewhere = "far/another-boot" + db.owner().substr(boot_end);
  EXPECT_EQ(state_of(elsewhere, +kHour, -kSecond), ClaimState::kTaken);
  EXPECT_EQ(state_of(elsewhere, -kHour, +kHour), ClaimState::kClaimed);
  EXPECT_EQ(state_of(db.owner(), +kHour, kOldRow), ClaimState::kTaken);
  EXPECT_EQ(state_of(db.owner(), -kHour, kOldRow), ClaimState::kClaimed);
}

TEST_F(Leases, OfAContainerUnderTheSameKernelAreJudgedByTheSharedClock) {
  SqliteStore db = open();
  Search(db).claimed("x", 0);
  const auto host_end = db.owner().find('/'), boot_end = db.owner().find('/', host_end + 1);
  const std::string container = "container" + db.owner().substr(host_end, boot_end - host_end) + "/pid:[1]/7/7/7";
  EXPECT_EQ(state_of(container, -kHour, +kHour), ClaimState::kTaken);
  EXPECT_EQ(state_of(container, +kHour, -kSecond), ClaimState::kClaimed);
}

}  // namespace
}  // namespace actsearch::testing
