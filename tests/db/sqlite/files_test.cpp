#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "db/sql/leaderboard.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/schema.h"
#include "db/sqlite/store.h"
#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/space.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class Files : public SqliteTest {
 protected:
  /// Runs SQL as another program would.
  void raw(const std::string& sql) const { sqlite::Connection(file_, sqlite::Connection::Mode::kCreate, 1s).execute(sql); }
  std::string error(Store::Access access = Store::Access::kCreate) const {
    return message_of<DatabaseError>([&] { SqliteStore(file_, access, 100ms); });
  }
  /// Runs the body as a user for whom permissions count, which they do not for root. The directory is that user's to read.
  int as_ordinary_user(const std::function<int()>& body) const {
    constexpr uid_t kNobody = 65534;
    return wait_for(start_process([&] { return geteuid() == 0 && seteuid(kNobody) != 0 ? 97 : body(); }));
  }
  static std::string read_text(const std::filesystem::path& file) {
    std::stringstream content;
    content << std::ifstream(file, std::ios::binary).rdbuf();
    return content.str();
  }
  void make_writable() const {
    chmod(directory_.c_str(), 0777);
    chmod(file_.c_str(), 0666);
  }
};

TEST_F(Files, AreInWalModeAndFullySynchronous) {
  const auto connection = open_for_writing(file_, 1s);
  for (const auto& [pragma, value] : std::vector<std::pair<std::string, std::string>>{{"journal_mode", "wal"},
                                                                                      {"synchronous", "2"},
                                                                                      {"foreign_keys", "1"},
                                                                                      {"user_version", std::to_string(kSchemaVersion)},
                                                                                      {"application_id", "1633907827"}}) {
    auto row = connection->prepare("PRAGMA " + pragma);
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.text(0), value) << pragma;
  }
}

TEST_F(Files, ThatAreNoDatabaseAreRefusedAndLeftAlone) {
  const std::string text(5000, 'x');
  std::ofstream(file_) << text;
  for (const auto access : {Store::Access::kCreate, Store::Access::kReadOnly}) {
    EXPECT_TRUE(contains(error(access), "it is not an SQLite database")) << error(access);
    EXPECT_TRUE(contains(error(access), file_.string()));
  }
  EXPECT_EQ(read_text(file_), text);
}

TEST_F(Files, OfAnotherProgramAreRefused) {
  raw("CREATE TABLE notes (text)");
  EXPECT_TRUE(contains(error(), "not one of actsearch")) << error();
  raw("SELECT text FROM notes");
}

TEST_F(Files, OfANewerVersionAreRefused) {
  { open(); }
  raw("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1));
  for (const auto access : {Store::Access::kCreate, Store::Access::kReadOnly}) {
    EXPECT_TRUE(contains(error(access), "newer actsearch (schema version " + std::to_string(kSchemaVersion + 1))) << error(access);
  }
}

TEST_F(Files, ThatAreAbsentEmptyOrDirectoriesHaveClearMessages) {
  EXPECT_TRUE(contains(error(Store::Access::kReadOnly), "there is no such file"));
  EXPECT_FALSE(std::filesystem::exists(file_));
  std::ofstream(file_).flush();
  EXPECT_TRUE(contains(error(Store::Access::kReadOnly), "is empty"));
  EXPECT_EQ(error(), "") << "an empty file is filled";
  file_ = directory_;
  EXPECT_TRUE(contains(error(), "is a directory"));
  file_ = directory_ / "absent" / "search.db";
  EXPECT_TRUE(contains(error(), "create it first"));
  file_ = "";
  EXPECT_NE(error(), "");
}

TEST_F(Files, MayBeCreatedByManyProcessesAtOnce) {
  constexpr int kRounds = 10, kProcesses = 6;
  for (int round = 0; round < kRounds; ++round) {
    file_ = directory_ / (std::to_string(round) + ".db");
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) children.push_back(start_process([&] { return open().studies().empty() ? 0 : 1; }));
    for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  }
}

TEST_F(Files, WithOddNamesAreFilesLikeAnyOther) {
  for (const char* name : {":memory:", "a?b#c%20.db", "file:x?mode=memory"}) {
    file_ = directory_ / name;
    { open(); }
    EXPECT_TRUE(std::filesystem::exists(file_)) << name;
    EXPECT_EQ(error(Store::Access::kReadOnly), "");
    sqlite::Connection immutable(file_, sqlite::Connection::Mode::kImmutable, 1s);
    EXPECT_EQ(immutable.prepare("SELECT count(*) FROM trials").step(), true) << name;
  }
}

TEST_F(Files, OfVersion1AreMigratedWithTheirTrials) {
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 1);
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic', '{"seeds":1}', 'abc123', 'a machine', '');
      INSERT INTO recipe VALUES (1, 'vgg-s', 'vgg-s fp32');
      INSERT INTO candidate VALUES (1, 'fingerprint of x', 'x', '', 0), (2, 'fingerprint of exp(x)', 'exp(x)', '', 0);
      INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms, validation_accuracy, beta, epochs, seconds)
        VALUES (1, 1, 0, 'done', 1, 'o', 0, 0.6, '[]', 2, 1.0), (1, 1, 1, 'done', 1, 'o', 0, 0.8, '[]', 2, 3.0),
               (2, 1, 0, 'failed', 1, 'o', 0, NULL, '[]', 1, 1.0);
    )sql");
  }
  {
    const SqliteStore old(file_, Store::Access::kReadOnly);
    EXPECT_EQ(old.leaderboard({}).at(0).n, 2) << "reading needs no migration";
    EXPECT_EQ(cell(old, "SELECT done FROM recipes"), "2");
  }
  SqliteStore db = open();
  const auto rows = db.leaderboard({.recipe = "vgg-s"});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].n, 2);
  EXPECT_NEAR(rows[0].mean, 0.7, 1e-15);
  EXPECT_EQ(rows[0].epochs, 2);
  EXPECT_EQ(rows[0].seconds, 2.0);
  EXPECT_TRUE(rows[0].low.has_value());
  EXPECT_EQ(cell(db, "SELECT done FROM recipes"), "2");
  const Search search(db);
  Claim claim;
  const Id x = db.candidate({candidate_of("x").fingerprint, "x", "", 0});
  ASSERT_EQ(db.claim(search.study, x, search.recipe, 2, kLease, &claim), ClaimState::kClaimed);
  EXPECT_TRUE(db.finish(claim.trial, accuracy(0.7), {epoch_record(0), epoch_record(1)}));
  EXPECT_EQ(db.leaderboard({}).at(0).n, 3);
  EXPECT_EQ(error(Store::Access::kReadOnly), "");
}

TEST_F(Files, OfVersion2AreMigratedWithTheirStudies) {
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 2);
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic', '{"seeds":1}', 'abc123', 'a machine', '');
      INSERT INTO recipe (id, name, text) VALUES (1, 'vgg-s', 'vgg-s fp32');
      INSERT INTO candidate VALUES (1, 'fingerprint of x', 'x', '', 0);
      INSERT INTO trial (id, candidate, recipe, seed, status, attempts, owner, lease_until_ms, validation_accuracy)
        VALUES (7, 1, 1, 0, 'done', 1, 'o', 0, 0.6);
      INSERT INTO study_trial VALUES (1, 7);
    )sql");
  }
  const SqliteStore db = open();
  EXPECT_EQ(cell(db, "SELECT trial FROM study_trials"), "7");
  EXPECT_EQ(cell(db, "SELECT place FROM study_trials"), "NULL");
  EXPECT_TRUE(db.observations(1).empty()) << "where it was found is not known";
}

TEST_F(Files, OfVersion3AreMigratedWithTheirEpochs) {
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 3);
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic', '{"seeds":1}', 'abc123', 'a machine', '');
      INSERT INTO recipe (id, name, text) VALUES (1, 'vgg-s', 'vgg-s fp32');
      INSERT INTO candidate VALUES (1, 'fingerprint of x', 'x', '', 0);
      INSERT INTO trial (id, candidate, recipe, seed, status, attempts, owner, lease_until_ms) VALUES (7, 1, 1, 0, 'released', 1, '', 0);
      INSERT INTO study_trial VALUES (1, 7, 3);
      INSERT INTO epoch (trial, epoch, train_loss) VALUES (7, 0, 1.5);
    )sql");
  }
  const SqliteStore db = open();
  EXPECT_EQ(cell(db, "SELECT train_loss FROM epochs"), "1.5");
  EXPECT_EQ(cell(db, "SELECT count(*) FROM pauses"), "0");
  const auto waiting = db.rung(1, 1, 1, 0);
  ASSERT_EQ(waiting.size(), 1u) << "a race of that version goes on";
  ASSERT_TRUE(waiting[0].given_back);
  EXPECT_EQ(waiting[0].given_back->epochs, 1);
  EXPECT_EQ(waiting[0].place, 3u);
}

TEST_F(Files, OfVersion4AreMigratedWithWhereTheirTrialsWait) {
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 4);
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic', '{"seeds":1}', 'abc123', 'a machine', '');
      INSERT INTO recipe (id, name, text) VALUES (1, 'vgg-s', 'vgg-s fp32');
      INSERT INTO candidate VALUES (1, 'fingerprint of x', 'x', '', 0);
      INSERT INTO trial (id, candidate, recipe, seed, status, attempts, owner, lease_until_ms) VALUES (7, 1, 1, 0, 'released', 1, '', 0);
      INSERT INTO study_trial VALUES (1, 7, 3);
      INSERT INTO epoch (trial, epoch, train_loss) VALUES (7, 0, 1.5);
      INSERT INTO pause VALUES (7, 0, 50, 100, 2.0, 0.2, 1.0), (7, 1, 20, 100, 1.0, 0.3, 1.0), (7, 1, 40, 100, 0.9, 0.4, 1.0);
    )sql");
  }
  const SqliteStore db = open();
  const auto left = db.given_back(1, 1, 1, 0);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->epochs, 1);
  EXPECT_EQ(left->steps, 40) << "the last pause of the epoch that it is in";
  EXPECT_EQ(cell(db, "SELECT count(*) FROM running"), "0");
}

TEST_F(Files, OfVersion4AreMigratedWithWhatTheirRacesHavePaused) {
  const auto fill = [&] {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 4);
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic', '{"seeds":1}', 'abc123', 'a machine', '');
      INSERT INTO recipe (id, name, text) VALUES (1, 'vgg-s', 'vgg-s epochs=3');
      INSERT INTO candidate VALUES (1, 'fingerprint of x', 'x', '', 0), (2, 'fingerprint of exp(x)', 'exp(x)', '', 0);
      INSERT INTO trial (id, candidate, recipe, seed, status, attempts, owner, lease_until_ms)
        VALUES (7, 1, 1, 0, 'released', 1, '', 0), (8, 2, 1, 0, 'released', 1, '', 0), (9, 2, 1, 1, 'released', 1, '', 0);
      INSERT INTO pause VALUES (7, 0, 25, 100, 2.0, 0.2, 1.0), (7, 1, 10, 100, 1.2, 0.3, 1.0), (8, 0, 25, 100, 1.9, 0.2, 1.0);
      INSERT INTO epoch (trial, epoch, train_loss) VALUES (7, 0, 1.5);
    )sql");
  };
  fill();
  for (const auto access : {Store::Access::kReadOnly, Store::Access::kCreate}) {
    const SqliteStore db(file_, access);
    const auto rows = db.provisional({}, 10).rows;
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].formula, "x");
    EXPECT_EQ(rows[0].epochs, 1.1);
    EXPECT_EQ(rows[0].train_loss, 1.2);
    EXPECT_EQ(rows[1].epochs, 0.25);
    EXPECT_EQ(rows[1].n, 1) << "nothing is known of its other seed";
    EXPECT_EQ(cell(db, "SELECT group_concat(epochs, ' ') FROM paused"), "1.1 0.25");
  }
}

/// The first place of the space whose formula prints as this.
std::uint64_t place_of(const Space& space, const std::string& formula) {
  std::uint64_t place = 0;
  while (to_text(space.at(place)) != formula) ++place;
  return place;
}

TEST_F(Files, OfVersion6HaveTheirFunctionsToldApart) {
  const Space space("core1", std::vector<std::string>{"relu", "identity"}, std::vector<std::string>{"max", "mul"});
  const std::string relu = "max(max(x, 0), x)", relu6 = "min(max(x, 0), 6)", cube = "x * square(x)";
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 6);
    // In this version all four trials were of one function, which was called relu. Two of them were found in the study's space.
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic',
                                '{"unary":["relu","identity"],"binary":["max","mul"]}', 'abc123', 'a machine', '');
      INSERT INTO recipe (id, name, text, done) VALUES (1, 'vgg-s', 'vgg-s fp32', 3);
      INSERT INTO candidate VALUES (1, 'seven', 'min(max(x, 0), 6)', 'relu', 0), (2, 'eight', 'sin(', 'found', 0),
                                   (3, 'nine', 'x * square(x)', 'a name of mine', 0);
      INSERT INTO trial (id, candidate, recipe, seed, status, attempts, owner, lease_until_ms, validation_accuracy, beta, epochs, seconds)
        VALUES (7, 1, 1, 0, 'done', 1, 'o', 0, 0.6, '[]', 2, 1.0), (8, 1, 1, 1, 'done', 1, 'o', 0, 0.8, '[]', 2, 1.0),
               (9, 1, 1, 2, 'released', 1, 'o', 0, NULL, '[]', 0, NULL), (10, 3, 1, 0, 'done', 1, 'o', 0, 0.5, '[]', 2, 1.0);
      INSERT INTO rejection VALUES (1, 'x - x', 'constant'), (1, 'greater(x, 20)', 'constant'), (1, 'sqrt(x)', 'not finite');
    )sql");
    for (const int trial : {8, 9}) {
      connection.run("INSERT INTO study_trial (study, trial, place) VALUES (1, ?1, ?2)", trial, place_of(space, relu));
    }
    refresh_all_standings(connection);
  }
  for (const auto access : {Store::Access::kReadOnly, Store::Access::kCreate, Store::Access::kReadOnly}) {
    const SqliteStore db(file_, access);
    EXPECT_EQ(cell(db, "SELECT name FROM candidates WHERE formula = '" + relu6 + "'"), "") << "it is not ReLU";
    EXPECT_EQ(cell(db, "SELECT name FROM candidates WHERE formula = '" + relu + "'"), "relu");
    EXPECT_EQ(cell(db, "SELECT name FROM candidates WHERE formula = '" + cube + "'"), "a name of mine") << "no name of one function alone";
    EXPECT_EQ(cell(db, "SELECT fingerprint FROM candidates WHERE formula = 'sin('"), "eight") << "it cannot be read";
    EXPECT_EQ(cell(db, "SELECT group_concat(trial) FROM trials WHERE formula = '" + relu6 + "'"), "7");
    EXPECT_EQ(cell(db, "SELECT group_concat(trial) FROM trials WHERE name = 'relu'"), "8,9");
    const auto rows = db.leaderboard({});
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0].name, "relu");
    EXPECT_EQ(rows[0].mean, 0.8);
    EXPECT_EQ(rows[1].formula, relu6);
    EXPECT_EQ(rows[1].mean, 0.6);
    EXPECT_EQ(cell(db, "SELECT group_concat(formula, ', ') FROM rejections"), "sqrt(x), x - x");
    for (const std::string& formula : {relu, relu6}) {
      const auto stored = db.candidate_with(candidate_of(formula).fingerprint);
      ASSERT_TRUE(stored) << formula;
      EXPECT_EQ(stored->record.formula, formula);
      EXPECT_EQ(db.former_fingerprint(stored->id), "seven") << "checkpoints are named so";
    }
  }
}

TEST_F(Files, OfVersion6AreMigratedWithTheirClaims) {
  const std::string elsewhere = "host/boot/pid:[1]/1/1/1";
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 6);
    connection.execute(R"sql(
      INSERT INTO study VALUES (1, 'search', 'core1', 'random', 1, 'vgg-s …', 'synthetic', '{"seeds":1}', 'abc123', 'a machine', '');
      INSERT INTO recipe (id, name, text) VALUES (1, 'vgg-s', 'vgg-s fp32');
      INSERT INTO candidate VALUES (1, 'fingerprint of x(', 'x(', '', 0);)sql");
    for (const auto& [seed, lease] : {std::pair(0, "32503680000000"), std::pair(1, "1")}) {  // until the year 3000, and over
      connection.execute("INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms) VALUES (1, 1, " +
                         std::to_string(seed) + ", 'running', 2, '" + elsewhere + "', " + lease + ")");
    }
  }
  SqliteStore db = open();
  Search search(db);
  Claim claim;
  EXPECT_EQ(search.claim("x(", 0, &claim), ClaimState::kTaken) << "a claim of the older program holds";
  EXPECT_EQ(search.claim("x(", 1, &claim), ClaimState::kClaimed);
  EXPECT_EQ(claim.attempt, 3);
  EXPECT_EQ(cell(db, "SELECT count(*) FROM running"), "2");
}

TEST_F(Files, OfAnOlderVersionAreReadAsTheyAreAndNotWritten) {
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    migrate(connection, 2);
  }
  const auto before = read_text(file_);
  {
    SqliteStore db(file_, Store::Access::kReadOnly);
    EXPECT_TRUE(db.leaderboard({}).empty());
    EXPECT_EQ(cell(db, "SELECT count(*) FROM pauses"), "0");
    const std::string message = message_of<DatabaseError>([&] { db.recipe("vgg-s", "text"); });
    EXPECT_TRUE(contains(message, "cannot be written")) << message;
  }
  EXPECT_EQ(read_text(file_), before);
}

TEST_F(Files, AMigrationThatFailsLeavesTheOldVersion) {
  sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
  migrate(connection, 1);
  connection.execute("CREATE TABLE standing (in_the_way)");
  EXPECT_THROW(migrate(connection), DatabaseError);
  auto version = connection.prepare("PRAGMA user_version");
  ASSERT_TRUE(version.step());
  EXPECT_EQ(version.integer(0), 1);
}

TEST_F(Files, ThatAreLockedSayWhatToDo) {
  SqliteStore db(file_, Store::Access::kCreate, 100ms);
  Search search(db);
  const Claim claim = search.claimed("x", 0);
  sqlite::Connection other(file_, sqlite::Connection::Mode::kCreate, 1s);
  {
    sqlite::Transaction held(other);
    const std::string message = message_of<DatabaseError>([&] { db.finish(claim.trial, accuracy(0.5), {}); });
    EXPECT_TRUE(contains(message, "another process keeps the file locked")) << message;
    EXPECT_TRUE(contains(message, file_.string())) << message;
    EXPECT_TRUE(db.leaderboard({}).empty()) << "reading goes on";
    EXPECT_EQ(cell(db, "SELECT count(*) FROM trials"), "1");
  }
  EXPECT_TRUE(db.finish(claim.trial, accuracy(0.5), {})) << "and the claim is still ours afterwards";
}

TEST_F(Files, ThatAreLockedAreWaitedForAsLongAsTheCallerWishes) {
  SqliteStore db(file_, Store::Access::kCreate, 20ms);
  Search search(db);
  const Claim claim = search.claimed("x", 0);
  sqlite::Connection other(file_, sqlite::Connection::Mode::kCreate, 1s);
  auto held = std::make_unique<sqlite::Transaction>(other);
  int asked = 0;
  db.when_busy([&] {
    if (++asked == 3) held.reset();
    return true;
  });
  EXPECT_TRUE(db.finish(claim.trial, accuracy(0.5), {})) << "after the file was free";
  EXPECT_EQ(asked, 3);

  const Claim second = search.claimed("x", 1);
  held = std::make_unique<sqlite::Transaction>(other);
  db.when_busy([] { return false; });
  try {
    db.pause(second.trial, {}, {});
    ADD_FAILURE() << "the caller does not wait";
  } catch (const DatabaseError& error) {
    EXPECT_TRUE(error.busy()) << error.what();
  }
}

TEST_F(Files, ThatAreLockedHoldUpNeitherEpochsNorRenewals) {
  SqliteStore db(file_, Store::Access::kCreate, 20ms);
  Search search(db);
  const Claim claim = search.claimed("x", 0);
  sqlite::Connection other(file_, sqlite::Connection::Mode::kCreate, 1s);
  auto held = std::make_unique<sqlite::Transaction>(other);
  std::atomic<bool> wait{true};
  std::atomic<int> asked{0};
  db.when_busy([&] { return ++asked, wait.load(); });
  const auto busy = [](const auto& call) {
    try {
      call();
    } catch (const DatabaseError& error) {
      return error.busy();
    }
    return false;
  };
  EXPECT_TRUE(busy([&] { db.add_epoch(claim.trial, epoch_record(0)); }));
  EXPECT_TRUE(busy([&] { db.renew(kLease); }));
  EXPECT_EQ(asked, 0);
  {
    // The same while another thread waits for the file, and holds the object meanwhile.
    std::jthread waiting([&] { EXPECT_TRUE(busy([&] { db.pause(claim.trial, {}, {}); })); });
    while (asked == 0) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(busy([&] { db.add_epoch(claim.trial, epoch_record(0)); }));
    wait = false;
  }
  held.reset();
  EXPECT_TRUE(db.add_epoch(claim.trial, epoch_record(0)));
}

TEST_F(Files, LockedBeforeTheyAreOpenedSayWhatToDo) {
  { open(); }
  sqlite::Connection other(file_, sqlite::Connection::Mode::kCreate, 1s);
  other.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE t (a);");
  EXPECT_TRUE(contains(error(), "another process keeps the file locked")) << error();
  EXPECT_TRUE(contains(error(Store::Access::kReadOnly), "another process keeps the file locked"));
}

TEST_F(Files, MayBeReadWhileAnotherProcessWrites) {
  SqliteStore writer = open();
  Search search(writer);
  search.finished("x", 0, accuracy(0.5));
  const SqliteStore reader(file_, Store::Access::kReadOnly);
  EXPECT_EQ(reader.leaderboard({}).size(), 1u);
  search.finished("sin(x)", 0, accuracy(0.6));
  EXPECT_EQ(reader.leaderboard({}).size(), 2u);
  EXPECT_EQ(cell(reader, "SELECT count(*) FROM trials"), "2");
}

TEST_F(Files, OpenedForReadingAreNotWritten) {
  { open(); }
  SqliteStore reader(file_, Store::Access::kReadOnly);
  const std::string message = message_of<DatabaseError>([&] { reader.recipe("vgg-s", "text"); });
  EXPECT_TRUE(contains(message, "cannot be written")) << message;
}

TEST_F(Files, ThatAreReadOnlyAreReadButNotWritten) {
  {
    SqliteStore db = open();
    Search(db).finished("x", 0, accuracy(0.5));
  }
  chmod(file_.c_str(), 0444);
  for (const mode_t directory_mode : {0555, 0777}) {
    chmod(directory_.c_str(), directory_mode);
    EXPECT_EQ(as_ordinary_user([&] {
                const SqliteStore reader(file_, Store::Access::kReadOnly, 100ms);
                if (reader.leaderboard({}).size() != 1 || cell(reader, "SELECT count(*) FROM trials") != "1") return 1;
                return contains(error(), "is read-only") ? 0 : 2;
              }),
              0)
        << "directory mode " << std::oct << directory_mode;
  }
  make_writable();
}

TEST_F(Files, InAReadOnlyDirectoryWithResultsStillInTheLogSayWhatToDo) {
  {
    SqliteStore db = open();
    Search(db).finished("x", 0, accuracy(0.5));
    std::filesystem::copy(file_, directory_ / "copy.db");
    std::filesystem::copy(file_.string() + "-wal", directory_ / "copy.db-wal");
  }
  file_ = directory_ / "copy.db";
  chmod(file_.c_str(), 0444);
  chmod(directory_.c_str(), 0555);
  EXPECT_EQ(as_ordinary_user([&] { return contains(error(Store::Access::kReadOnly), "copy both files") ? 0 : 1; }), 0);
  make_writable();
}

TEST_F(Files, InADirectoryWithoutPermissionSayWhatToDo) {
  chmod(directory_.c_str(), 0555);
  EXPECT_EQ(as_ordinary_user([&] { return contains(error(), "you may read and write the file and its directory") ? 0 : 1; }), 0);
  make_writable();
}

TEST_F(Files, OnAFullDiskSayWhatToDoAndLoseNothing) {
  EXPECT_EQ(wait_for(start_process([&] {
              SqliteStore db = open();
              Search search(db);
              search.finished("x", 0, accuracy(0.5));
              const Claim claim = search.claimed("x", 1);
              signal(SIGXFSZ, SIG_IGN);  // writing beyond the limit then fails as on a full disk
              const auto used = std::filesystem::file_size(file_.string() + "-wal");
              rlimit limit{};
              getrlimit(RLIMIT_FSIZE, &limit);
              const rlimit full{used, limit.rlim_max};
              setrlimit(RLIMIT_FSIZE, &full);
              const std::string message = message_of<DatabaseError>([&] { db.finish(claim.trial, accuracy(0.5), {}); });
              if (!contains(message, "free some space")) return 1;
              if (db.leaderboard({}).at(0).n != 1) return 2;
              setrlimit(RLIMIT_FSIZE, &limit);
              return db.finish(claim.trial, accuracy(0.5), {}) ? 0 : 3;
            })),
            0);
  SqliteStore db = open();
  EXPECT_EQ(db.leaderboard({}).at(0).n, 2);
}

TEST_F(Files, SqlitesOwnDiskFullErrorSaysTheSame) {
  const auto connection = open_for_writing(file_, 1s);
  connection->execute("PRAGMA max_page_count = 1");  // SQLite answers with the present size, and lets the file grow no further
  const std::string message = message_of<DatabaseError>([&] {
    sqlite::Transaction transaction(*connection);
    connection->run("INSERT INTO recipe (name, text) VALUES ('a', hex(zeroblob(100000)))");
  });
  EXPECT_TRUE(contains(message, "the disk is full: free some space")) << message;
  EXPECT_EQ(connection->run("INSERT INTO recipe (name, text) VALUES ('a', 'b')"), 1) << "the failed transaction is over";
}

TEST_F(Files, PassSqlitesIntegrityCheckAfterUse) {
  {
    SqliteStore db = open();
    Search search(db);
    for (std::uint64_t seed = 0; seed < 20; ++seed) search.finished("x", seed, accuracy(0.5));
  }
  const auto connection = open_for_writing(file_, 1s);
  auto check = connection->prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check.step());
  EXPECT_EQ(check.text(0), "ok");
}

}  // namespace
}  // namespace actsearch::testing
