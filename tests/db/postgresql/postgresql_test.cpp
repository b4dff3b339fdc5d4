// What a store in a PostgreSQL database does beside what every store does: servers that go away, addresses, databases that are not ours.

#include <thread>

#include "db/postgresql/connection.h"
#include "db/postgresql/schema.h"
#include "tests/db/db_fixture.h"
#include "tests/db/postgresql/lossy_proxy.h"
#include "tests/db/postgresql/private_server.h"

namespace actsearch::testing {
namespace {

class Postgresql : public StoreTest {
 protected:
  static PrivateServer& server() { return PrivateServer::shared(); }
  static std::string database_of(const std::string& address) {
    const auto begin = address.find("@/") + 2;
    return address.substr(begin, address.find('?') - begin);
  }
  static std::string error(const std::string& address, Store::Access access = Store::Access::kCreate) {
    return message_of<DatabaseError>([&] { open_store(address, access); });
  }
  /// Ends every session on a database, and returns when they have ended.
  static void end_sessions(const std::string& address) {
    server().execute("postgres",
                     "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + database_of(address) + "'");
  }
  const std::string address_ = GetParam().unavailable() ? "" : server().new_database();
};
INSTANTIATE_TEST_SUITE_P(Stores, Postgresql, ::testing::Values(stores_under_test().back()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Postgresql, AnAddressWithAPasswordIsRefusedAndThePasswordIsNotRepeated) {
  for (const char* const text :
       {"postgresql://role:sesame@/name", "postgresql:///name?password=sesame", "postgres://role:sesame@host:1/name"}) {
    const std::string message = error(text);
    EXPECT_TRUE(contains(message, "has a password")) << message;
    EXPECT_TRUE(contains(message, ".pgpass")) << message;
    EXPECT_FALSE(contains(message, "sesame")) << message;
    EXPECT_EQ(message_of<DatabaseError>([&] { require_usable(text); }), message);
  }
  const std::string unreadable = error("postgresql://role@host/name?sesame=unheard-of");
  EXPECT_TRUE(contains(unreadable, "cannot be read")) << unreadable;
  EXPECT_FALSE(contains(unreadable, "sesame")) << unreadable;
}

TEST_P(Postgresql, AWrongPasswordOrRoleIsSaidWithWhatToDo) {
  server().execute("postgres", "DROP ROLE IF EXISTS locked; CREATE ROLE locked LOGIN PASSWORD 'right'");
  const std::string locked = server().address(database_of(address_), "locked");
  setenv("PGPASSWORD", "sesame", 1);
  const std::string wrong = error(locked);
  unsetenv("PGPASSWORD");
  EXPECT_TRUE(contains(wrong, "password authentication failed")) << wrong;
  EXPECT_TRUE(contains(wrong, "check the role and its password")) << wrong;
  EXPECT_FALSE(contains(wrong, "sesame")) << wrong;
  const std::string none = error(locked);
  EXPECT_TRUE(contains(none, "no password supplied")) << none;
  EXPECT_TRUE(contains(none, "PGPASSWORD")) << none;

  const std::string nobody = error(server().address(database_of(address_), "stranger"));
  EXPECT_TRUE(contains(nobody, "role \"stranger\" does not exist")) << nobody;
  EXPECT_TRUE(contains(nobody, "check the address")) << nobody;
}

TEST_P(Postgresql, AMissingDatabaseOrServerIsSaid) {
  const std::string absent = error(server().address("absent"));
  EXPECT_TRUE(contains(absent, "database \"absent\" does not exist")) << absent;
  EXPECT_TRUE(contains(absent, "check the address")) << absent;
  const std::string silent = error("postgresql:///name?host=/nowhere");
  EXPECT_TRUE(contains(silent, "/nowhere")) << silent;
  EXPECT_TRUE(contains(silent, "that the server runs")) << silent;
}

TEST_P(Postgresql, ADatabaseOfAnotherProgramIsLeftAsItIs) {
  server().execute(database_of(address_), "CREATE TABLE trial (kept text); INSERT INTO trial VALUES ('as it is')");
  for (const auto access : {Store::Access::kCreate, Store::Access::kReadOnly}) {
    const std::string message = error(address_, access);
    EXPECT_TRUE(contains(message, "not those of actsearch")) << message;
  }
  EXPECT_TRUE(contains(message_of<DatabaseError>([&] { require_usable(address_); }), "not those of actsearch"));
  postgresql::Connection connection(address_, postgresql::Connection::Mode::kReadOnly, 1s);
  EXPECT_EQ(sql::first_row(connection, "SELECT kept FROM trial", sql::text_of), "as it is");
  EXPECT_EQ(sql::first_row(connection, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", sql::integer_of), 1);
}

TEST_P(Postgresql, ANewerSchemaIsRefused) {
  open_store(address_, Store::Access::kCreate);
  server().execute(database_of(address_), "UPDATE actsearch_version SET version = 1000");
  const std::string message = error(address_);
  EXPECT_TRUE(contains(message, "newer actsearch (schema version 1000")) << message;
  EXPECT_EQ(error(address_, Store::Access::kReadOnly), message);
}

/// What a later version of the program might do.
constexpr std::array<const char*, 2> kLaterSteps{"ALTER TABLE trial ADD COLUMN later BIGINT NOT NULL DEFAULT 7",
                                                 "UPDATE trial SET later = later + 1"};

TEST_P(Postgresql, ALaterVersionBringsTheTablesUpToDateOnceNobodyUsesThem) {
  using postgresql::Connection;
  static_assert(postgresql::newest_of({}) == kSchemaVersion, "the steps below follow this version's");
  auto worker = open_store(address_, Store::Access::kCreate);
  auto viewer = open_store(address_, Store::Access::kReadOnly);
  Search search(*worker);
  const Claim claim = search.claimed("x", 0);
  const auto upgrade = [&](postgresql::Steps steps = kLaterSteps) {
    return message_of<DatabaseError>([&] {
      Connection later(address_, Connection::Mode::kWrite, 1s);
      bring_up_to_date(later, steps);
    });
  };
  const std::string two = upgrade();
  EXPECT_TRUE(contains(two, "older actsearch (schema version 8), and 2 processes use them; it is left as it is")) << two;
  end_sessions(address_);  // and both come back with their next call
  EXPECT_TRUE(worker->finish(claim.trial, accuracy(0.5), {}));
  EXPECT_EQ(viewer->leaderboard({}).size(), 1u);
  EXPECT_EQ(upgrade(), two);
  viewer.reset();
  EXPECT_TRUE(contains(upgrade(), "and 1 process uses them"));
  EXPECT_EQ(worker->leaderboard({}).size(), 1u) << "the tables are as they were";
  worker.reset();

  const std::array broken{kLaterSteps[0], "SELECT 1 / 0"};
  EXPECT_TRUE(contains(upgrade(broken), "division by zero"));
  EXPECT_EQ(open_store(address_, Store::Access::kReadOnly)->leaderboard({}).size(), 1u) << "half a change is none";

  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) children.push_back(start_process([&] { return upgrade().empty() ? 0 : 1; }));
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  Connection connection(address_, Connection::Mode::kReadOnly, 1s);
  EXPECT_EQ(sql::first_row(connection, "SELECT version FROM actsearch_version", sql::integer_of), kSchemaVersion + 2);
  EXPECT_EQ(sql::first_row(connection, "SELECT later FROM trial", sql::integer_of), 8) << "each step once";
  const std::string older = error(address_);
  EXPECT_TRUE(contains(older, "newer actsearch (schema version 10, this program knows up to 8)")) << older;
}

TEST_P(Postgresql, AWorkerThatLostItsConnectionLearnsThatTheTablesAreNewer) {
  const auto worker = open_store(address_, Store::Access::kCreate);
  end_sessions(address_);
  {
    postgresql::Connection later(address_, postgresql::Connection::Mode::kWrite, 1s);
    bring_up_to_date(later, kLaterSteps);
  }
  EXPECT_TRUE(contains(message_of<DatabaseError>([&] { worker->study(study_record()); }), "newer actsearch"));
}

TEST_P(Postgresql, AServerThatIsTooOldIsRefused) {
  EXPECT_NO_THROW(postgresql::require_server(120000, "here"));
  const std::string message = message_of<DatabaseError>([] { postgresql::require_server(110022, "here"); });
  EXPECT_TRUE(contains(message, "here: the server is PostgreSQL 11")) << message;
}

TEST_P(Postgresql, AnEmptyDatabaseIsNotReadAndCheckingItMakesNothing) {
  EXPECT_NO_THROW(require_usable(address_));
  EXPECT_TRUE(contains(error(address_, Store::Access::kReadOnly), "is empty: run a search into it first"));
}

TEST_P(Postgresql, SeveralProcessesMakeTheTablesTogether) {
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_process([&] {
      const auto store = open_store(address_, Store::Access::kCreate);
      return store->study(study_record()) > 0 ? 0 : 1;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(open_store(address_, Store::Access::kReadOnly)->studies().size(), 1u);
}

TEST_P(Postgresql, NumbersKeepTheirBitsAndTextsTheirBytesWhereTheyAreUtf8) {
  const auto store = open_store(address_, Store::Access::kCreate);
  Search search(*store);
  TrialRecord record = accuracy(0.1 + 0.2, 1e-310);
  record.train_loss = 1.0 / 3;
  record.failure_detail = std::string("β \xff\0 \xe0\x80\x80", 9);
  const Claim claim = search.claimed("x", std::numeric_limits<std::uint64_t>::max());
  ASSERT_TRUE(store->finish(claim.trial, record, {}));
  const auto trials = store->report_reads().finished(search.recipe, std::vector<Id>{store->candidate(candidate_record("x"))});
  ASSERT_EQ(trials.size(), 1u);
  EXPECT_EQ(trials[0].accuracy, 0.1 + 0.2);
  EXPECT_EQ(trials[0].seconds, 1e-310);
  EXPECT_EQ(trials[0].train_loss, 1.0 / 3);
  EXPECT_EQ(trials[0].seed, std::numeric_limits<std::uint64_t>::max());
  Claim failed = search.claimed("y", 0);
  record.failure = "not finite";
  ASSERT_TRUE(store->finish(failed.trial, record, {}));
  EXPECT_EQ(store->failures({}).at(0).detail, "β \ufffd\ufffd \ufffd\ufffd\ufffd");
}

TEST_P(Postgresql, LongConditionsAndRecipesAreFoundAgain) {
  const auto store = open_store(address_, Store::Access::kCreate);
  std::string noise;  // that does not pack well
  std::mt19937 random(1);
  for (int i = 0; i < 50'000; ++i) noise += static_cast<char>('a' + random() % 26);
  StudyRecord study = study_record();
  study.conditions = noise;
  EXPECT_EQ(store->study(study), store->study(study));
  EXPECT_EQ(store->recipe("long", noise), store->recipe("long", noise));
  study.conditions += "!";
  EXPECT_EQ(store->study(study), 2);
}

TEST_P(Postgresql, ACallGoesOnAfterItsConnectionWasEnded) {
  const auto store = open_store(address_, Store::Access::kCreate);
  Search search(*store);
  const Claim claim = search.claimed("x", 0);
  end_sessions(address_);
  EXPECT_EQ(store->renew(kLease, {{claim.trial, {}}}), std::vector<Id>{});
  end_sessions(address_);
  EXPECT_TRUE(store->add_epoch(claim.trial, epoch_record(0)));
  end_sessions(address_);
  EXPECT_TRUE(store->finish(claim.trial, accuracy(0.5), {epoch_record(0)}));
  end_sessions(address_);
  EXPECT_EQ(store->leaderboard({}).size(), 1u);
  end_sessions(address_);
  EXPECT_EQ(search.claimed("y", 0).attempt, 1);
}

TEST_P(Postgresql, AConnectionThatIsLostDuringACommitCountsNothingTwiceAndLosesNothing) {
  const Directory directory;
  LossyProxy proxy(directory.path(), server().directory());
  const std::string name = database_of(address_);
  const auto store = open_store("postgresql://actsearch@/" + name + "?host=" + directory.path().string(), Store::Access::kCreate);
  Search search(*store);
  const auto aside = open_store(address_, Store::Access::kReadOnly);
  std::uint64_t seed = 0;
  int lost = 0;
  for (const auto lose : {LossyProxy::Lose::kRequest, LossyProxy::Lose::kAnswer}) {
    const auto in_the_middle = [&](const auto& call) {
      proxy.lose(lose);
      const auto answer = call();
      EXPECT_EQ(proxy.lost(), ++lost);
      return answer;
    };
    const Claim claim = in_the_middle([&] { return search.claimed("x", seed); });
    EXPECT_EQ(claim.attempt, 1);
    EXPECT_TRUE(in_the_middle([&] { return store->add_epoch(claim.trial, epoch_record(0)); }));
    EXPECT_EQ(in_the_middle([&] { return store->renew(kLease, {{claim.trial, {1, 0, 0}}}); }), std::vector<Id>{});
    EXPECT_TRUE(in_the_middle([&] { return store->finish(claim.trial, accuracy(0.5), {epoch_record(0), epoch_record(1)}); }));
    EXPECT_EQ(cell(*aside, "SELECT done FROM recipes"), std::to_string(++seed));
    EXPECT_EQ(cell(*aside, "SELECT n FROM standings"), std::to_string(seed));
    EXPECT_EQ(cell(*aside, "SELECT count(*) FROM epochs"), std::to_string(2 * seed));
    EXPECT_EQ(cell(*aside, "SELECT count(*) FROM trials"), std::to_string(seed));
  }
}

TEST_P(Postgresql, AnAnswerThatIsLostToAPauseOrAReturnIsNoLostClaim) {
  const Directory directory;
  LossyProxy proxy(directory.path(), server().directory());
  const auto store =
      open_store("postgresql://actsearch@/" + database_of(address_) + "?host=" + directory.path().string(), Store::Access::kCreate);
  Search search(*store);
  const auto aside = open_store(address_, Store::Access::kReadOnly);
  int lost = 0;
  for (const auto lose : {LossyProxy::Lose::kRequest, LossyProxy::Lose::kAnswer}) {
    const auto in_the_middle = [&](const auto& call) {
      proxy.lose(lose);
      EXPECT_TRUE(call());
      EXPECT_EQ(proxy.lost(), ++lost);
    };
    const std::uint64_t seed = static_cast<std::uint64_t>(lose);
    const Id trial = search.claimed("x", seed).trial;
    const std::string of_trial = " FROM trials WHERE trial = " + std::to_string(trial);
    const PauseRecord pause{.epoch = 1, .step = 5, .epoch_steps = 10, .train_loss = 1, .train_accuracy = 0.5, .seconds = 1};
    in_the_middle([&] { return store->pause(trial, {epoch_record(0)}, pause); });
    EXPECT_EQ(cell(*aside, "SELECT status" + of_trial), "released");
    EXPECT_EQ(cell(*aside, "SELECT count(*) FROM pauses WHERE trial = " + std::to_string(trial)), "1");
    search.claimed("x", seed);
    in_the_middle([&] { return store->pause(trial, {epoch_record(0), epoch_record(1)}, std::nullopt); });
    search.claimed("x", seed);
    in_the_middle([&] { return store->give_back(trial, {}, {2, 3, 10}); });
    EXPECT_EQ(cell(*aside, "SELECT status" + of_trial), "released");
    search.claimed("x", seed);
    in_the_middle([&] { return store->release(trial); });
    EXPECT_EQ(cell(*aside, "SELECT count(*)" + of_trial), "0");
  }
  const Claim other = search.claimed("y", 0);
  store->give_back(other.trial, {}, {});
  EXPECT_FALSE(store->pause(other.trial, {}, std::nullopt)) << "what was not lost on its way is as it was";
  EXPECT_FALSE(store->give_back(other.trial, {}, {}));
  EXPECT_FALSE(store->release(other.trial));
}

TEST_P(Postgresql, AFullDiskOnTheServerIsSaidAndCostsNothing) {
  const auto store = open_store(address_, Store::Access::kCreate);
  Search search(*store);
  const Claim claim = search.claimed("x", 0);
  EXPECT_TRUE(store->add_epoch(claim.trial, epoch_record(0)));
  const std::string name = database_of(address_);
  server().execute(name,
                   "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;"
                   " CREATE TRIGGER disk_is_full BEFORE INSERT OR UPDATE ON trial FOR EACH ROW EXECUTE FUNCTION disk_is_full()");
  const auto full = [&](const auto& call) {
    const std::string message = message_of<DatabaseError>(call);
    EXPECT_TRUE(contains(message, "the server's disk is full")) << message;
    EXPECT_TRUE(contains(message, "what was finished is kept")) << message;
  };
  full([&] { store->finish(claim.trial, accuracy(0.5), {epoch_record(0), epoch_record(1)}); });
  full([&] { store->pause(claim.trial, {epoch_record(0), epoch_record(1)}, std::nullopt); });
  full([&] { search.claimed("y", 0); });
  EXPECT_EQ(cell(*store, "SELECT count(*) FROM epochs"), "1") << "half a result is none";
  EXPECT_EQ(cell(*store, "SELECT status FROM trials"), "running");
  server().execute(name, "DROP TRIGGER disk_is_full ON trial");
  EXPECT_TRUE(store->finish(claim.trial, accuracy(0.5), {epoch_record(0), epoch_record(1)}));
  EXPECT_EQ(search.claimed("y", 0).attempt, 1);
  EXPECT_EQ(store->leaderboard({}).size(), 1u);
}

TEST_P(Postgresql, ResultsWaitForAServerThatIsAway) {
  PrivateServer own;
  const std::string address = own.new_database();
  const auto store = open_store(address, Store::Access::kCreate, 100ms);
  Search search(*store);
  const Claim claim = search.claimed("x", 0);
  own.stop();
  try {
    store->renew(kLease, {});
    ADD_FAILURE() << "nothing answered, and no error came";
  } catch (const DatabaseError& gone) {
    EXPECT_TRUE(gone.busy()) << gone.what() << ": training goes on";
  }
  int asked = 0;
  store->when_busy([&] {
    if (++asked == 2) own.start();
    return true;
  });
  EXPECT_TRUE(store->finish(claim.trial, accuracy(0.5), {epoch_record(0)}));
  EXPECT_GE(asked, 2);
  EXPECT_EQ(store->leaderboard({}).size(), 1u);

  own.stop();
  store->when_busy([] { return false; });
  EXPECT_TRUE(contains(message_of<DatabaseError>([&] { store->leaderboard({}); }), "failed"));
}

TEST_P(Postgresql, AStoppedHolderOfARowIsWaitedForAndThenTheCallIsBusy) {
  const auto store = open_store(address_, Store::Access::kCreate, 100ms);
  Search search(*store);
  const Claim claim = search.claimed("x", 0);
  postgresql::Connection other(address_, postgresql::Connection::Mode::kWrite, 1s);
  auto held = std::make_unique<sql::Transaction>(other);
  other.run("UPDATE trial SET seconds = 1");
  try {
    store->add_epoch(claim.trial, epoch_record(0));
    ADD_FAILURE() << "the row is held, and no error came";
  } catch (const DatabaseError& locked) {
    EXPECT_TRUE(locked.busy()) << locked.what();
  }
  int asked = 0;
  store->when_busy([&] {
    if (++asked == 2) held.reset();
    return true;
  });
  EXPECT_TRUE(store->finish(claim.trial, accuracy(0.5), {}));
  EXPECT_EQ(asked, 2);
}

TEST_P(Postgresql, TheServersClockJudgesLeases) {
  const auto store = open_store(address_, Store::Access::kCreate);
  Search search(*store);
  search.claimed("x", 0, 1000s);
  postgresql::Connection connection(address_, postgresql::Connection::Mode::kReadOnly, 1s);
  const auto left = sql::first_row(
      connection, "SELECT lease_until_ms - CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) FROM trial", sql::integer_of);
  ASSERT_TRUE(left);
  EXPECT_GT(*left, 900'000);
  EXPECT_LE(*left, 1'000'000);
  EXPECT_EQ(sql::first_row(connection, "SELECT lease_until_boot_ms FROM trial", sql::integer_of), 0) << "a machine's own clock does not";
}

TEST_P(Postgresql, ManyProcessesClaimEachTrialOnce) {
  constexpr int kProcesses = 4, kTrials = 40;
  const auto store = open_store(address_, Store::Access::kCreate);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(start_process([&] {
      const auto own = open_store(address_, Store::Access::kCreate);
      Search search(*own);
      for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
        Claim claim;
        const std::string formula = "x + " + std::to_string(trial / 4);
        if (search.claim(formula, trial % 4, &claim) != ClaimState::kClaimed) continue;
        if (!own->finish(claim.trial, accuracy(0.01 * static_cast<double>(trial)), {epoch_record(0)})) return 1;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(cell(*store, "SELECT count(*) FROM trials WHERE status = 'done'"), "40");
  EXPECT_EQ(cell(*store, "SELECT sum(attempts) FROM trials"), "40") << "no trial was claimed twice";
  EXPECT_EQ(cell(*store, "SELECT done FROM recipes"), "40");
  EXPECT_EQ(cell(*store, "SELECT min(n) || ' ' || max(n) || ' ' || count(*) FROM standings"), "4 4 10");
}

TEST_P(Postgresql, AQuestionIsOneSelectThatChangesNothing) {
  const auto store = open_store(address_, Store::Access::kCreate);
  Search search(*store);
  search.finished("x", 0, accuracy(0.5));
  const auto asked = [&](const std::string& sql) { return message_of<QueryError>([&] { store->queries()->query(sql); }); };
  EXPECT_EQ(cell(*store, "SELECT mean FROM leaderboard;"), "0.5");
  EXPECT_EQ(cell(*store, "WITH a AS (SELECT 1.0::float8 AS b) SELECT b FROM a"), "1.0");
  for (const char* const refused :
       {"DELETE FROM trial", "UPDATE trial SET seed = 1", "SELECT 1; SELECT 2", "DROP TABLE trial", "EXPLAIN SELECT 1",
        "COPY trial TO STDOUT", "SHOW work_mem", "SELECT 1 INTO gone", "WITH a AS (DELETE FROM trial RETURNING id) SELECT * FROM a", "",
        "SET work_mem = 1", "SELECT nextval('trial_id_seq')", "SELECT set_config('transaction_read_only', 'off', true)"}) {
    EXPECT_NE(asked(refused), "") << refused;
  }
  EXPECT_TRUE(contains(asked("SELECT * FROM nowhere"), "there are candidates, epochs, failures, leaderboard"));
  EXPECT_TRUE(contains(message_of<QueryError>([&] { store->queries()->query("SELECT generate_series(1, 11)", 10); }), "more than 10 rows"));
  EXPECT_EQ(cell(*store, "SELECT count(*) FROM trials"), "1");
}

TEST_P(Postgresql, AReaderMayDoWithRightsToRead) {
  const auto store = open_store(address_, Store::Access::kCreate);
  Search search(*store);
  search.finished("x", 0, accuracy(0.5));
  const std::string name = database_of(address_);
  server().execute(name, "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
  const std::string address = server().address(name, "reader");
  EXPECT_EQ(open_store(address, Store::Access::kReadOnly)->leaderboard({}).size(), 1u);
  const std::string refused = message_of<DatabaseError>([&] { open_store(address, Store::Access::kCreate)->study(study_record(2)); });
  EXPECT_TRUE(contains(refused, "permission denied")) << refused;
  EXPECT_TRUE(contains(refused, "docs/cluster.md")) << refused;
  server().execute(name, "DROP OWNED BY reader; DROP ROLE reader");
}

TEST_P(Postgresql, TheRolesOfTheDocumentationMayDoWhatTheyAreForAndNoMore) {
  std::ifstream file(CLUSTER_DOCUMENT);
  std::string line, statements;
  while (std::getline(file, line) && line != "```sql") {
  }
  while (std::getline(file, line) && line != "```") statements += line + "\n";
  ASSERT_TRUE(contains(statements, "CREATE ROLE worker")) << "docs/cluster.md begins its SQL with the roles";
  const std::string name = database_of(address_);
  const auto owners = open_store(address_, Store::Access::kCreate);
  server().execute(name, statements);
  const std::string address = server().address(name, "worker");
  {
    const auto store = open_store(address, Store::Access::kCreate);
    Search search(*store);
    search.finished("x", 0, accuracy(0.5));
    const Claim claim = search.claimed("y", 0);
    EXPECT_EQ(store->renew(kLease, {{claim.trial, {1, 0, 0}}}), std::vector<Id>{});
    EXPECT_TRUE(store->pause(claim.trial, {epoch_record(0)}, std::nullopt));
    EXPECT_TRUE(store->release(search.claimed("z", 0).trial));
    store->reject(search.study, "1", "constant");
    postgresql::Connection worker(address, postgresql::Connection::Mode::kWrite, 1s);
    EXPECT_TRUE(contains(message_of<DatabaseError>([&] { worker.execute("DROP TABLE trial"); }), "must be owner"));
    EXPECT_TRUE(contains(message_of<DatabaseError>([&] { worker.execute("CREATE TABLE more (a int)"); }), "permission denied"));
  }
  const auto reading = open_store(server().address(name, "reader"), Store::Access::kReadOnly);
  EXPECT_EQ(reading->leaderboard({}).size(), 1u);
  EXPECT_EQ(cell(*reading, "SELECT count(*) FROM trials"), "2");
  server().execute(name, "DROP OWNED BY worker, reader; DROP ROLE worker, reader");
}

TEST_P(Postgresql, FilesThatBelongToADatabaseAreNamedAfterIt) {
  for (const auto& [address, name] :
       std::vector<std::pair<std::string, std::string>>{{"postgresql://anna@db.example:99/kept?sslmode=disable", "kept"},
                                                        {"postgres:///kept?host=/run", "kept"},
                                                        {"postgresql://?service=mine", "mine"},
                                                        {"postgresql:///a%2Fb", "a_b"}}) {
    const PlaceNames names = names_of(address);
    EXPECT_FALSE(names.is_file) << address;
    EXPECT_EQ(names.label, name) << address;
    EXPECT_EQ(names.beside, name) << address;
  }
  setenv("PGDATABASE", "usual", 1);
  EXPECT_EQ(names_of("postgresql://").label, "usual");
  unsetenv("PGDATABASE");
  EXPECT_EQ(names_of("postgresql://").label, "postgresql");
  EXPECT_TRUE(names_of("/data/a.db").is_file);
  EXPECT_EQ(names_of("/data/a.db").label, "a.db");
  EXPECT_EQ(names_of("/data/a.db").beside, "/data/a.db");
}

TEST_P(Postgresql, TheViewsHaveTheColumnsOfAFile) {
  const Directory directory;
  const auto server_store = open_store(address_, Store::Access::kCreate);
  const auto file_store = open_store((directory.path() / "search.db").string(), Store::Access::kCreate);
  for (const char* const view : {"studies", "candidates", "rejections", "recipes", "trials", "study_trials", "epochs", "pauses", "failures",
                                 "running", "paused", "standings", "leaderboard"}) {
    const std::string all = std::string("SELECT * FROM ") + view;
    EXPECT_EQ(server_store->queries()->query(all).columns, file_store->queries()->query(all).columns) << view;
  }
}

}  // namespace
}  // namespace actsearch::testing
