/// The leaderboard over a million finished trials: a million candidates with one seed each, or 200,000 with five. The bar is 50 ms.
/// One candidate's accuracy is one of 5,001 values, as with 5,000 validation images, so ties are as frequent as in a real file.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>

#include "db/open/open_store.h"
#include "db/sql/leaderboard.h"
#include "db/sqlite/schema.h"

namespace {

using namespace actsearch;

constexpr int kTrials = 1'000'000;

/// A file with kTrials finished trials; removed at the end.
class MillionTrials {
 public:
  explicit MillionTrials(int seeds)
      : file_(std::filesystem::temp_directory_path() /
              ("actsearch-leaderboard-" + std::to_string(getpid()) + "-" + std::to_string(seeds) + ".db")) {
    const auto connection = open_for_writing(file_, std::chrono::seconds(1));
    connection->execute("PRAGMA synchronous = OFF");  // only here: nobody needs this file after a crash
    sqlite::Transaction transaction(*connection);
    connection->run("INSERT INTO recipe (id, name, text, done) VALUES (1, 'vgg-s', 'vgg-s fp32', ?1)", kTrials);
    connection->run(
        "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ?1)"
        " INSERT INTO candidate (id, fingerprint, formula, name, parameters) SELECT n, hex(n * 7919), 'x * sigmoid(' || n || ' * x)', '', "
        "0 FROM i",
        kTrials / seeds);
    connection->run(
        "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < ?1 - 1)"
        " INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms, validation_accuracy, epochs, seconds)"
        " SELECT n / ?2 + 1, 1, n % ?2, 'done', 1, 'bench', 0, (n * 2654435761 % 5001) / 5000.0, 3, n * 40503 % 60000 / 1000.0 FROM i",
        kTrials, seeds);
    refresh_all_standings(*connection);
    transaction.commit();
  }
  ~MillionTrials() {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file_.string() + suffix);
  }
  MillionTrials(const MillionTrials&) = delete;
  MillionTrials& operator=(const MillionTrials&) = delete;
  const std::filesystem::path& file() const { return file_; }

 private:
  std::filesystem::path file_;
};

const MillionTrials& trials_with(int seeds) {
  static const MillionTrials one(1), five(5);
  return seeds == 1 ? one : five;
}

/// Arguments: seeds of each candidate; LeaderboardQuery::Sort.
void leaderboard_of_a_million_trials(benchmark::State& state) {
  const auto& file = trials_with(static_cast<int>(state.range(0))).file();
  const auto store = open_store(file, Store::Access::kReadOnly);
  const Store& db = *store;
  const LeaderboardQuery query{.top = 20, .sort = static_cast<LeaderboardQuery::Sort>(state.range(1))};
  for (auto _ : state) benchmark::DoNotOptimize(db.leaderboard(query));
}
BENCHMARK(leaderboard_of_a_million_trials)->ArgNames({"seeds", "sort"})->ArgsProduct({{1, 5}, {0, 1, 2, 3}})->Unit(benchmark::kMillisecond);

/// What a user waits for: opening the file and the first query.
void opening_and_the_first_leaderboard(benchmark::State& state) {
  const auto& file = trials_with(static_cast<int>(state.range(0))).file();
  for (auto _ : state) benchmark::DoNotOptimize(open_store(file, Store::Access::kReadOnly)->leaderboard({}));
}
BENCHMARK(opening_and_the_first_leaderboard)->ArgName("seeds")->Arg(1)->Arg(5)->Unit(benchmark::kMillisecond);

/// A trial's claim and result among a million others, synced to disk.
void claiming_and_finishing_a_trial(benchmark::State& state) {
  const auto store = open_store(trials_with(1).file(), Store::Access::kCreate);
  Store& db = *store;
  const Id study = db.study({});
  std::uint64_t seed = std::random_device()();  // the benchmark is called several times, each with trials of its own
  for (auto _ : state) {
    Claim claim;
    const Id candidate = 1 + static_cast<Id>(++seed % kTrials);
    db.claim(study, candidate, 1, seed, std::chrono::seconds(60), &claim);
    TrialRecord result;
    result.validation_accuracy = 0.5;
    db.finish(claim.trial, result, {});
  }
}
BENCHMARK(claiming_and_finishing_a_trial)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
