/// The leaderboard over a million finished trials: a million candidates with one seed each, or 200,000 with five. The bar is 50 ms.
/// One candidate's accuracy is one of 5,001 values, as with 5,000 validation images, so ties are as frequent as in a real file.
///
/// ACTSEARCH_BENCH_SERVER: the address of an empty PostgreSQL database, to measure in place of files. ACTSEARCH_BENCH_TRIALS: other than a
/// million.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "db/open/open_store.h"
#include "db/sql/leaderboard.h"
#include "db/sqlite/schema.h"
#ifdef ACTSEARCH_HAS_POSTGRESQL
#include "db/postgresql/connection.h"
#endif

namespace {

using namespace actsearch;

int number_of_trials() {
  const char* const wanted = std::getenv("ACTSEARCH_BENCH_TRIALS");
  return wanted ? std::atoi(wanted) : 1'000'000;
}
const int kTrials = number_of_trials();
const char* const kServer = std::getenv("ACTSEARCH_BENCH_SERVER");

/// For what no store does.
std::unique_ptr<sql::Connection> connection_to(const std::string& place) {
#ifdef ACTSEARCH_HAS_POSTGRESQL
  if (!names_of(place).is_file)
    return std::make_unique<postgresql::Connection>(place, postgresql::Connection::Mode::kWrite, std::chrono::seconds(60));
#endif
  auto connection = open_for_writing(place, std::chrono::seconds(1));
  connection->execute("PRAGMA synchronous = OFF");  // only here: nobody needs this file after a crash
  return connection;
}

/// A store with kTrials finished trials, in a file or in a schema of the server; removed at the end.
class MillionTrials {
 public:
  explicit MillionTrials(int seeds) : schema_("seeds" + std::to_string(seeds)) {
    if (kServer) {
      const std::string server = kServer;
      connection_to(server)->execute("CREATE SCHEMA " + schema_);
      place_ = server + (server.find('?') == std::string::npos ? "?" : "&") + "options=-csearch_path%3D" + schema_;
    } else {
      place_ = std::filesystem::temp_directory_path() / ("actsearch-leaderboard-" + std::to_string(getpid()) + "-" + schema_ + ".db");
    }
    open_store(place_, Store::Access::kCreate);
    const auto connection = connection_to(place_);
    sql::Transaction transaction(*connection);
    connection->run("INSERT INTO recipe (id, name, text, done) VALUES (1, 'vgg-s', 'vgg-s fp32', ?1)", kTrials);
    connection->run(
        "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ?1)"
        " INSERT INTO candidate (id, fingerprint, formula, name, parameters)"
        " SELECT n, 'fingerprint ' || n, 'x * sigmoid(' || n || ' * x)', '', 0 FROM i",
        kTrials / seeds);
    connection->run(
        "WITH RECURSIVE i(n) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT n + 1 FROM i WHERE n < ?1 - 1)"
        " INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms, validation_accuracy, epochs, seconds)"
        " SELECT n / ?2 + 1, 1, n % ?2, 'done', 1, 'bench', 0, (n * 2654435761 % 5001) / 5000.0, 3, n * 40503 % 60000 / 1000.0 FROM i",
        kTrials, seeds);
    refresh_all_standings(*connection);
    transaction.commit();
    if (kServer) connection->execute("VACUUM ANALYZE");  // as the server does by itself, a minute later
  }
  ~MillionTrials() {
    if (kServer) connection_to(kServer)->execute("DROP SCHEMA " + schema_ + " CASCADE");
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(place_ + suffix);
  }
  MillionTrials(const MillionTrials&) = delete;
  MillionTrials& operator=(const MillionTrials&) = delete;
  const std::string& place() const { return place_; }

 private:
  std::string schema_, place_;
};

const MillionTrials& trials_with(int seeds) {
  static const MillionTrials one(1), five(5);
  return seeds == 1 ? one : five;
}

/// Arguments: seeds of each candidate; LeaderboardQuery::Sort.
void leaderboard_of_a_million_trials(benchmark::State& state) {
  const auto store = open_store(trials_with(static_cast<int>(state.range(0))).place(), Store::Access::kReadOnly);
  const Store& db = *store;
  const LeaderboardQuery query{.top = 20, .sort = static_cast<LeaderboardQuery::Sort>(state.range(1))};
  for (auto _ : state) benchmark::DoNotOptimize(db.leaderboard(query));
}
BENCHMARK(leaderboard_of_a_million_trials)->ArgNames({"seeds", "sort"})->ArgsProduct({{1, 5}, {0, 1, 2, 3}})->Unit(benchmark::kMillisecond);

/// What a user waits for: opening the store and the first query.
void opening_and_the_first_leaderboard(benchmark::State& state) {
  const std::string& place = trials_with(static_cast<int>(state.range(0))).place();
  for (auto _ : state) benchmark::DoNotOptimize(open_store(place, Store::Access::kReadOnly)->leaderboard({}));
}
BENCHMARK(opening_and_the_first_leaderboard)->ArgName("seeds")->Arg(1)->Arg(5)->Unit(benchmark::kMillisecond);

/// A trial's claim and result among a million others, synced to disk. On a server by several connections at once. Argument: seeds of each
/// candidate, 1 or several; of several, the pooled deviation is computed anew with each result.
void claiming_and_finishing_a_trial(benchmark::State& state) {
  const auto store = open_store(trials_with(1).place(), Store::Access::kCreate);
  Store& db = *store;
  const Id study = db.study({}), recipe = state.range(0) == 1 ? db.recipe("vgg-s", "vgg-s with one seed") : 1;
  std::uint64_t seed = std::random_device()();  // the benchmark is called several times, each with trials of its own
  for (auto _ : state) {
    Claim claim;
    const Id candidate = 1 + static_cast<Id>(++seed % static_cast<std::uint64_t>(kTrials));
    db.claim(study, candidate, recipe, seed, std::chrono::seconds(60), &claim);
    TrialRecord result;
    result.validation_accuracy = 0.5;
    db.finish(claim.trial, result, {});
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(claiming_and_finishing_a_trial)
    ->ArgName("seeds")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Apply([](benchmark::internal::Benchmark* one) {
      one->Threads(1);
      for (const int connections : {4, 16, 64}) {
        if (kServer) one->Threads(connections);
      }
    });

}  // namespace

BENCHMARK_MAIN();
