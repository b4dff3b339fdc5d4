// What a run does when others take its trials, keep its database locked, or died of what it is to train.

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "db/sqlite/connection.h"
#include "db/sqlite/store.h"
#include "grammar/notation.h"
#include "search/run/checkpoint_files.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

class TakeOver : public RunsOnDatabase {
 protected:
  TakeOver() {
    plan_.space = Space("core1", std::vector<std::string>{"identity"}, std::vector<std::string>{"add", "mul"});  // x + x and x * x
    plan_.run.jobs = 1;
    plan_.run.checkpoints = directory_.path() / "checkpoints";
    std::filesystem::create_directories(plan_.run.checkpoints);
  }
  SearchReport run(const Evaluator& evaluator) { return run_search(database_, plan_, evaluator, progress_, interrupt_); }
  bool said(const std::string& part) const { return log_.str().find(part) != std::string::npos; }

  /// Another process takes the trial of a claim that is not renewed any more, with the checkpoint that lies there, and writes its own.
  Id take_over(const TrialOptions& options) {
    {
      sqlite::Connection raw(file_, sqlite::Connection::Mode::kCreate, 1s);
      raw.execute("UPDATE trial SET lease_until_ms = 1, lease_until_boot_ms = 1 WHERE status = 'running'");
    }
    const Table row = other_.query(
        "SELECT u.study, t.candidate, t.recipe_id, t.seed, c.fingerprint FROM trials t JOIN candidates c ON c.candidate = t.candidate"
        " JOIN study_trials u ON u.trial = t.trial WHERE t.status = 'running'");
    const auto number = [&](std::size_t column) { return std::stoll(row.rows.at(0).at(column).value()); };
    Claim claim;
    EXPECT_EQ(other_.claim(number(0), number(1), number(2), static_cast<std::uint64_t>(number(3)), 600s, &claim), ClaimState::kClaimed);
    const CheckpointFiles files(plan_.run.checkpoints, number(2));
    const CheckpointFiles::Trial trial{row.rows[0][4].value(), static_cast<std::uint64_t>(number(3)), claim.attempt};
    files.adopt(trial);
    theirs_ = files.of(trial);
    EXPECT_NE(theirs_, options.checkpoint);
    EXPECT_FALSE(std::filesystem::exists(options.checkpoint)) << "it is theirs now";
    std::ofstream(theirs_) << "theirs";
    return claim.trial;
  }
  /// Whether the other process still has all that is its own, which then finishes its trial.
  void they_finish(Id trial) {
    EXPECT_EQ(read_text(theirs_), "theirs");
    const std::string of_trial = " WHERE trial = " + std::to_string(trial);
    EXPECT_EQ(cell(other_, "SELECT owner FROM trials" + of_trial), other_.owner());
    EXPECT_EQ(cell(other_, "SELECT count(*) FROM epochs" + of_trial), "0");
    TrialRecord record;
    record.validation_accuracy = 0.75;
    EXPECT_TRUE(other_.finish(trial, record, {}));
  }

  SearchPlan plan_ = small_plan();
  SqliteStore other_{file_, Store::Access::kCreate};
  std::filesystem::path theirs_;
};

TEST_F(TakeOver, IsLearntAtTheNextRenewalAndEndsThatTrainingAlone) {
  plan_.run.lease = 1s;  // renewed four times in it
  int calls = 0;
  const SearchReport report = run([&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    if (++calls > 1) return fake_outcome(candidate, recipe, options);
    std::ofstream(options.checkpoint) << "ours";
    const Id trial = take_over(options);
    while (!*options.stop) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(options.may_save()) << "the checkpoint is another's";
    they_finish(trial);
    TrialOutcome outcome;
    outcome.interrupted = true;
    return outcome;
  });
  EXPECT_TRUE(said("another process has taken this trial over, so its training ends here")) << log_.str();
  EXPECT_EQ(report.run.ending, Ending::kFinished);
  EXPECT_EQ(report.run.done, 1) << "the other function";
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE status = 'done'"), "2");
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE accuracy = 0.75 AND attempts = 2"), "1");
  EXPECT_TRUE(std::filesystem::exists(theirs_)) << "nobody but its owner removes it";
}

TEST_F(TakeOver, IsLearntAtTheNextEpoch) {
  int calls = 0;
  run([&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    if (++calls > 1) return fake_outcome(candidate, recipe, options);
    const Id trial = take_over(options);
    EXPECT_FALSE(*options.stop);
    options.on_epoch({});
    EXPECT_TRUE(*options.stop);
    they_finish(trial);
    return fake_outcome(candidate, recipe, {});  // too late: its result counts for nothing
  });
  EXPECT_TRUE(said("another process has taken this trial over")) << log_.str();
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE accuracy = 0.75 AND attempts = 2"), "1");
}

TEST_F(TakeOver, IsLearntAtAPauseAStopAndAnErrorWhichThenEndsNothing) {
  enum class End : std::uint8_t { kPause, kStop, kStopWithNothing, kError };
  for (const End end : {End::kPause, End::kStop, End::kStopWithNothing, End::kError}) {
    plan_.run.recipe_text += "+";
    plan_.run.racing = Racing{{{1, 0}}, 10, 1};
    int calls = 0;
    Id trial = 0;
    log_.str("");
    const SearchReport report = run([&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
      if (++calls == 2) they_finish(trial);  // so late, and nothing of it has been touched
      if (calls > 1) return fake_outcome(candidate, recipe, options);
      trial = take_over(options);
      TrialOutcome outcome = fake_outcome(candidate, recipe, {});
      outcome.epochs.resize(end == End::kStopWithNothing ? 0 : 1);
      outcome.paused = end == End::kPause;
      outcome.interrupted = end == End::kStop || end == End::kStopWithNothing;
      if (end == End::kError) throw std::runtime_error("the checkpoint cannot be renamed");
      return outcome;
    });
    EXPECT_TRUE(said("another process has taken this trial over")) << log_.str();
    EXPECT_EQ(report.run.ending, Ending::kFinished);
    EXPECT_EQ(read_text(theirs_), "theirs");
    EXPECT_EQ(cell(database_,
                   "SELECT count(*) FROM trials WHERE accuracy = 0.75 AND attempts = 2 AND recipe_id ="
                   " (SELECT max(recipe_id) FROM recipes)"),
              "1");
  }
}

TEST_F(TakeOver, OfATrialGoesOnWithItsCheckpointAndItsEndRemovesWhatWasLeft) {
  int calls = 0;
  std::filesystem::path first;
  const auto die = [&](const Candidate&, const Recipe&, const TrialOptions& options) -> TrialOutcome {
    std::ofstream(first = options.checkpoint) << "of the dead process";
    std::ofstream(options.checkpoint.string() + ".1-0.part") << "half";
    throw std::bad_alloc();
  };
  EXPECT_THROW(run(die), std::bad_alloc);
  {
    sqlite::Connection raw(file_, sqlite::Connection::Mode::kCreate, 1s);  // as a kill leaves it
    raw.execute(
        "INSERT OR IGNORE INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms)"
        " SELECT id, 1, 0, 'running', 1, 'gone', 0 FROM candidate WHERE id = 1; UPDATE trial SET status = 'running', owner = 'gone'");
  }
  run([&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    if (++calls == 1) {
      EXPECT_EQ(read_text(options.checkpoint), "of the dead process");
      EXPECT_NE(options.checkpoint, first);
      EXPECT_FALSE(std::filesystem::exists(first));
    }
    return fake_outcome(candidate, recipe, options);
  });
  EXPECT_FALSE(std::filesystem::exists(plan_.run.checkpoints)) << "nothing is left";
}

TEST_F(TakeOver, ACheckpointWhoseProcessWasKilledAfterItsResultWasStoredGoesWithTheNextRun) {
  std::vector<std::filesystem::path> files;
  run([&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    files.push_back(options.checkpoint);
    return fake_outcome(candidate, recipe, options);
  });
  std::filesystem::create_directories(plan_.run.checkpoints);
  for (const auto& file : files) std::ofstream(file) << "left";
  const auto foreign = plan_.run.checkpoints / "notes.txt";
  std::ofstream(foreign) << "mine";
  run(fake_outcome);
  for (const auto& file : files) EXPECT_FALSE(std::filesystem::exists(file)) << file;
  EXPECT_TRUE(std::filesystem::exists(foreign)) << "what is no checkpoint stays";
}

TEST_F(TakeOver, ADatabaseThatIsBusyForLongIsWaitedForWhileTrainingGoesOn) {
  SqliteStore database(file_, Store::Access::kCreate, 20ms);
  plan_.run.lease = 1s;
  int calls = 0;
  std::jthread freeing;
  const SearchReport report = run_search(
      database, plan_,
      [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
        if (++calls > 1) return fake_outcome(candidate, recipe, options);
        auto lock = std::make_unique<sqlite::Connection>(file_, sqlite::Connection::Mode::kCreate, 1s);
        lock->execute("BEGIN IMMEDIATE");
        const TrialOutcome outcome = fake_outcome(candidate, recipe, options);  // tells its epochs
        EXPECT_TRUE(said("the database is busy: another process keeps its file locked, or its server is away. Training goes on"))
            << log_.str();
        EXPECT_FALSE(*options.stop);
        freeing = std::jthread([lock = std::move(lock)] { std::this_thread::sleep_for(300ms); });  // and then it goes
        return outcome;
      },
      progress_, interrupt_);
  EXPECT_EQ(report.run.done, 2);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM epochs"), "8") << "what could not be told at once is told at the end";
}

TEST_F(TakeOver, AnInterruptEndsTheWaitForABusyDatabase) {
  SqliteStore database(file_, Store::Access::kCreate, 20ms);
  sqlite::Connection lock(file_, sqlite::Connection::Mode::kCreate, 1s);
  const auto search = [&] {
    run_search(
        database, plan_,
        [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
          lock.execute("BEGIN IMMEDIATE");
          interrupt_ = true;
          return fake_outcome(candidate, recipe, options);
        },
        progress_, interrupt_);
  };
  EXPECT_THROW(search(), DatabaseError);
}

TEST_F(TakeOver, WhatProcessesDiedWithIsTrainedLastAndAloneAndFailsWithTheNextDeath) {
  plan_ = small_plan();
  plan_.run.jobs = 2;
  plan_.run.checkpoints = directory_.path() / "checkpoints";
  run_search(database_, plan_, fake_outcome, progress_, interrupt_);
  {
    sqlite::Connection raw(file_, sqlite::Connection::Mode::kCreate, 1s);
    raw.execute(
        "UPDATE trial SET status = 'running', owner = 'gone', lease_until_ms = 0, lease_until_boot_ms = 0, deaths = 0;"
        "DELETE FROM epoch; UPDATE trial SET deaths = 2 WHERE id = 1; UPDATE trial SET deaths = 3 WHERE id = 2");
  }
  const std::string formula = cell(database_, "SELECT formula FROM trials WHERE trial = 1");
  std::mutex mutex;
  int together = 0;
  std::vector<std::pair<std::string, int>> order;
  const SearchReport report = run_search(
      database_, plan_,
      [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
        {
          const std::lock_guard lock(mutex);
          order.emplace_back(options.checkpoint.filename(), ++together);
        }
        std::this_thread::sleep_for(5ms);
        const std::lock_guard lock(mutex);
        --together;
        return fake_outcome(candidate, recipe, options);
      },
      progress_, interrupt_);
  auto considered = consider(parse(formula));
  ASSERT_EQ(order.size(), 11u) << "all but the one that has failed";
  EXPECT_EQ(order.back().first.rfind(std::get<Candidate>(considered).fingerprint, 0), 0u) << "the last is " << formula;
  EXPECT_EQ(order.back().second, 1) << "and nothing is trained beside it";
  EXPECT_TRUE(said(formula + " seed 0: 3 processes have ended while they trained it, so it is put last")) << log_.str();
  EXPECT_TRUE(said("failed (process died)")) << log_.str();
  EXPECT_EQ(report.run.done, 12);
  EXPECT_EQ(report.run.failed, 1);
  EXPECT_EQ(cell(database_, "SELECT trial || ' ' || reason FROM failures"), "2 process died");
}

TEST(CheckpointFilesTest, TouchNothingOfALaterClaimNorOfOtherTrials) {
  const TemporaryDirectory directory;
  const CheckpointFiles files(directory.path(), 7);
  const auto touch = [](const std::filesystem::path& file) { std::ofstream(file) << file.filename(); };
  const CheckpointFiles::Trial second{"ab12", 3, 2}, third{"ab12", 3, 3}, other_seed{"ab12", 33, 1}, other{"ab1", 3, 1};
  for (const auto& trial : {second, third, other_seed, other}) touch(files.of(trial));
  const auto other_recipe = CheckpointFiles(directory.path(), 8).of(second);
  touch(other_recipe);
  touch(files.of({"ab12", 3, 1}).string() + ".17-0.part");
  files.adopt(second);
  EXPECT_TRUE(read_text(files.of(second)).find("-a2") != std::string::npos) << "it has its own";
  files.remove_all(second);
  EXPECT_FALSE(std::filesystem::exists(files.of(second)));
  EXPECT_FALSE(std::filesystem::exists(files.of({"ab12", 3, 1}).string() + ".17-0.part"));
  for (const auto& trial : {third, other_seed, other}) EXPECT_TRUE(std::filesystem::exists(files.of(trial)));
  EXPECT_TRUE(std::filesystem::exists(other_recipe));
  files.adopt({"ab12", 3, 5});
  EXPECT_FALSE(std::filesystem::exists(files.of(third)));
  EXPECT_TRUE(std::filesystem::exists(files.of({"ab12", 3, 5})));
}

/// Counts what a run asks its store for.
class CountingStore : public SqliteStore {
 public:
  using SqliteStore::claim, SqliteStore::SqliteStore;
  ClaimState claim(Id study, Id candidate, Id recipe, std::uint64_t seed, std::chrono::seconds lease, Claim* claim,
                   std::optional<std::uint64_t> place, Turn turn) override {
    ++calls;
    return SqliteStore::claim(study, candidate, recipe, seed, lease, claim, place, turn);
  }
  std::optional<StoredCandidate> candidate_with(std::string_view fingerprint) const override {
    ++calls;
    return SqliteStore::candidate_with(fingerprint);
  }
  std::vector<SettledTrial> settled_trials(Id study, Id recipe, const std::vector<std::string>& fingerprints) const override {
    ++calls, ++sifts;
    return SqliteStore::settled_trials(study, recipe, fingerprints);
  }
  mutable int calls = 0, sifts = 0;
};

class Passing : public TakeOver {
 protected:
  Passing() {
    plan_.space =
        Space("core1", std::vector<std::string>{"identity", "tanh", "sin", "cos", "sigmoid"}, std::vector<std::string>{"add", "mul"});
    plan_.run.seeds = 2;
    const SearchReport whole = run(fake_outcome);
    functions_ = static_cast<int>(whole.candidates);
    EXPECT_GE(functions_, 30);
  }
  void change(const std::string& sql) { sqlite::Connection(file_, sqlite::Connection::Mode::kCreate, 1s).execute(sql); }
  SearchReport run_counted() {
    CountingStore store(file_, Store::Access::kCreate);
    const SearchReport report = run_search(store, plan_, fake_outcome, progress_, interrupt_);
    calls_ = store.calls;
    sifts_ = store.sifts;
    return report;
  }

  int functions_ = 0, calls_ = 0, sifts_ = 0;
};

TEST_F(Passing, WhatIsDoneIsPassedInFewCalls) {
  const SearchReport again = run_counted();
  EXPECT_EQ(again.run.done, 0);
  EXPECT_EQ(again.run.skipped, 2 * functions_);
  EXPECT_LT(calls_, 15) << "of " << functions_ << " functions";
}

TEST_F(Passing, AFreeTrialAmongThoseOfOthersIsFoundInFewCallsAndTheOthersAreWaitedFor) {
  // One trial of the last function is free, its other one is done, and another process has all of the rest.
  change("DELETE FROM trial WHERE id = (SELECT max(id) FROM trial)");
  change("UPDATE trial SET status = 'running', owner = '" + other_.owner() +
         "', lease_until_ms = 99999999999999, lease_until_boot_ms = 0 WHERE id < (SELECT max(id) FROM trial)");
  plan_.run.budget.trials = 1;
  const SearchReport one = run_counted();
  EXPECT_EQ(one.run.done, 1);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE status = 'done'"), "2");
  EXPECT_LT(calls_, 20);

  plan_.run.budget.trials.reset();
  std::jthread others([&] {
    std::this_thread::sleep_for(300ms);
    change("UPDATE trial SET status = 'done' WHERE id % 3 > 0");
    change("UPDATE trial SET status = 'released' WHERE status = 'running'");  // their process ended
  });
  const SearchReport rest = run_counted();
  EXPECT_EQ(rest.run.ending, Ending::kFinished);
  EXPECT_GT(rest.run.done, functions_ / 2);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE status = 'done'"), std::to_string(2 * functions_));
  EXPECT_TRUE(said("waiting for"));
}

TEST_F(Passing, AStrategyThatLearnsIsAskedForOneAfterTheOther) {
  plan_.strategy = "evolution";
  plan_.run.seeds = 1;
  plan_.run.budget.trials = 5;
  run_counted();
  run_counted();
  EXPECT_EQ(sifts_, 0) << "to ask for several would change what it proposes";
}

}  // namespace
}  // namespace actsearch::testing
