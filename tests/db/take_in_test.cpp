// Taking in what another store holds: from a file into each kind of store, and back into a file.

#include "db/sqlite/connection.h"
#include "db/taken_in.h"
#include "db/tickets.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

/// All that a store holds, by what it means and not by its numbers.
std::string whole(const Store& store) {
  std::string text;
  for (const char* const sql :
       {"SELECT kind, space, seed, conditions, program_commit, machine, created FROM studies ORDER BY study",
        "SELECT fingerprint, formula, name, parameters FROM candidates ORDER BY candidate",
        "SELECT recipe, text, done, deviation, degrees FROM recipes ORDER BY recipe_id",
        "SELECT formula, recipe, seed, status, validation_accuracy, best_test_accuracy, final_test_accuracy, train_loss, beta, epochs, "
        "seconds, attempts, owner, started, finished FROM trials ORDER BY trial",
        "SELECT s.seed, t.formula, t.recipe, t.seed, m.place FROM study_trials m JOIN studies s ON s.study = m.study JOIN trials t ON "
        "t.trial = m.trial ORDER BY s.study, t.trial",
        "SELECT formula, recipe, seed, epoch, learning_rate, train_loss, validation_accuracy, seconds FROM epochs ORDER BY trial, epoch",
        "SELECT formula, recipe, seed, epoch, step, epoch_steps, train_loss, train_accuracy, seconds FROM pauses ORDER BY trial, epoch, "
        "step",
        "SELECT formula, recipe, seed, epochs, train_loss FROM paused ORDER BY trial",
        "SELECT formula, seed, reason, detail FROM failures ORDER BY trial",
        "SELECT s.seed, r.formula, r.reason FROM rejections r JOIN studies s ON s.study = r.study ORDER BY s.study, r.formula",
        "SELECT rank, formula, recipe, mean, n, low, high, bound, best, beta0, epochs, seconds FROM standings ORDER BY recipe_id, rank"}) {
    for (const auto& row : store.queries()->query(sql).rows) {
      for (const auto& cell : row) text += cell.value_or("NULL") + "|";
      text += "\n";
    }
    text += "\n";
  }
  return text;
}

/// The first line in which two texts differ, of both; empty where they are equal.
std::string difference(const std::string& one, const std::string& other) {
  std::istringstream ones(one), others(other);
  for (std::string a, b; one != other;) {
    std::getline(ones, a), std::getline(others, b);
    if (a != b) return a + "\n" + b;
  }
  return "";
}

class TakeIn : public StoreTest {
 protected:
  /// A new file, and what is in it.
  Store& file() {
    return *files_.emplace_back(open_store((directory_.path() / (std::to_string(files_.size()) + ".db")).string(), Store::Access::kCreate));
  }
  /// A copy of a file in docs/results.
  std::unique_ptr<Store> published(const std::string& name) const {
    std::filesystem::copy_file(std::filesystem::path(RESULTS) / name, directory_.path() / name);
    return open_store((directory_.path() / name).string(), Store::Access::kReadOnly);
  }
  TakenIn take(Store& to, const Store& from) {
    conflicts_.clear();
    return to.take_in(from, {.conflict = [&](const Conflict& conflict) { conflicts_.push_back(conflict); }, .batch = {}});
  }
  std::vector<Conflict> conflicts_;

 private:
  Directory directory_;
  std::vector<std::unique_ptr<Store>> files_;
};

/// Trials of every kind that nobody trains.
void fill(Store& store) {
  Search search(store);
  TrialRecord with_beta = accuracy(0.1 + 0.2);
  with_beta.beta = R"([{"mean":1.25,"deviation":0.5,"min":0,"max":2}])";
  with_beta.final_test_accuracy = 1.0 / 3;
  for (std::uint64_t seed = 0; seed < 3; ++seed) search.finished("x", seed, accuracy(0.7 + 0.01 * static_cast<double>(seed), 2.5));
  search.finished("beta * x", std::numeric_limits<std::uint64_t>::max(), with_beta);
  TrialRecord failed;
  failed.failure = "not finite";
  failed.failure_detail = "epoch 1\nstep 7";
  search.finished("exp(x)", 0, failed, 1);
  EXPECT_TRUE(store.pause(search.claimed("tanh(x)", 0).trial, {epoch_record(0)}, PauseRecord{1, 20, 80, 1.5, 0.25, 3.0}));
  EXPECT_TRUE(store.give_back(search.claimed("sin(x)", 0).trial, {epoch_record(0), epoch_record(1)}, {2, 0, 0}));
  EXPECT_TRUE(store.release(search.claimed("never trained", 0).trial));
  store.reject(search.study, "x - x", "constant");
  store.reject(search.study, "log(0 * x)", "not finite");
  const Id other = store.study(study_record(2)), longer = store.recipe("vgg-s", "vgg-s epochs=9 fp32");
  Claim claim;
  store.claim(other, store.candidate(candidate_record("x", "identity")), longer, 0, kLease, &claim, 17);
  EXPECT_TRUE(store.finish(claim.trial, accuracy(0.9), {}));
  store.claim(other, store.candidate(candidate_record("x")), search.recipe, 0, kLease, &claim, 5);  // done, and wanted by both
}

TEST_P(TakeIn, AllComesOnceAndGoesBackTheSame) {
  Store &source = file(), &target = open(), &back = file();
  fill(source);
  const TakenIn first = take(target, source);
  EXPECT_EQ(difference(whole(target), whole(source)), "");
  EXPECT_EQ(first.trials, 8);
  EXPECT_EQ(first.added, 8);
  const std::string before = whole(target);
  const TakenIn again = take(target, source);
  EXPECT_EQ(again.trials, 8);
  EXPECT_EQ(again.added + again.further + again.conflicts + again.respelled, 0);
  EXPECT_EQ(difference(whole(target), before), "");
  take(back, target);
  EXPECT_EQ(difference(whole(back), whole(source)), "");
  EXPECT_TRUE(conflicts_.empty());
}

TEST_P(TakeIn, OfTwoResultsTheOwnStaysAndTheOtherIsNamed) {
  Store &one = file(), &two = file(), &target = open();
  Search first(one), second(two);
  first.finished("x", 0, accuracy(0.5, 1.0));
  first.finished("x", 1, accuracy(0.6));
  first.finished("sin(x)", 0, accuracy(0.7));
  second.finished("x", 0, accuracy(0.5, 9.0));  // the same result, elsewhere and slower
  second.finished("x", 1, accuracy(0.61));
  second.finished("x", 2, accuracy(0.4));
  TrialRecord failed;
  failed.failure = "not finite";
  second.finished("sin(x)", 0, failed);
  EXPECT_EQ(take(target, one).added, 3);
  for (int times = 0; times < 2; ++times) {
    const TakenIn taken = take(target, two);
    EXPECT_EQ(taken.trials, 4);
    EXPECT_EQ(taken.added, times == 0 ? 1 : 0);
    EXPECT_EQ(taken.conflicts, 2);
    ASSERT_EQ(conflicts_.size(), 2u);
    std::sort(conflicts_.begin(), conflicts_.end(), [](const Conflict& a, const Conflict& b) { return a.formula < b.formula; });
    EXPECT_EQ(conflicts_[0].formula + " " + conflicts_[0].differs + " " + conflicts_[0].recipe, "sin(x) status vgg-s fp32");
    EXPECT_EQ(conflicts_[0].kept.accuracy, 0.7);
    EXPECT_EQ(conflicts_[0].other.failure, "not finite");
    EXPECT_EQ(conflicts_[1].formula + " " + conflicts_[1].differs, "x validation_accuracy");
    EXPECT_EQ(conflicts_[1].seed, 1u);
    EXPECT_EQ(conflicts_[1].kept.accuracy, 0.6);
    EXPECT_EQ(conflicts_[1].other.accuracy, 0.61);
  }
  EXPECT_EQ(target.studies().size(), 1u) << "one study";
  EXPECT_EQ(cell(target, "SELECT done FROM recipes"), "4");
  EXPECT_EQ(cell(target, "SELECT n || ' ' || CAST(100 * mean AS INTEGER) FROM standings WHERE formula = 'x'"), "3 50");
}

TEST_P(TakeIn, AResultEndsATrialThatHasNotEndedHere) {
  Store &source = file(), &target = open();
  Search there(source), here(target);
  there.finished("x", 0, accuracy(0.5), 3);
  there.finished("sin(x)", 0, accuracy(0.6), 3);
  EXPECT_TRUE(target.pause(here.claimed("x", 0).trial, {epoch_record(0)}, PauseRecord{1, 20, 80, 1.5, 0.25, 3.0}));
  const Claim lost = here.claimed("sin(x)", 0);
  EXPECT_EQ(take(target, source).further, 2);
  EXPECT_EQ(cell(target, "SELECT count(*) FROM trials WHERE status = 'done' AND epochs = 3"), "2");
  EXPECT_EQ(cell(target, "SELECT count(*) FROM epochs"), "6");
  EXPECT_EQ(cell(target, "SELECT count(*) FROM pauses"), "0");
  EXPECT_EQ(target.renew(kLease, {{lost.trial, {}}}), std::vector<Id>{lost.trial});
  EXPECT_FALSE(target.finish(lost.trial, accuracy(0.1), {}));
  EXPECT_EQ(cell(target, "SELECT done || ' ' || (SELECT count(*) FROM standings) FROM recipes"), "2 2");
  EXPECT_EQ(take(target, source).further, 0);
}

TEST_P(TakeIn, OfTwoPausedTrialsTheOneThatWasTrainedLongerStaysAndARunningOneIsLeftAlone) {
  Store &source = file(), &target = open();
  Search there(source), here(target);
  const auto back = [](Search& search, const char* formula, int epochs) {
    std::vector<EpochRecord> records;
    for (int epoch = 0; epoch < epochs; ++epoch) records.push_back(epoch_record(epoch));
    EXPECT_TRUE(search.db.give_back(search.claimed(formula, 0).trial, records, {epochs, 0, 0}));
  };
  back(there, "longer there", 3), back(here, "longer there", 1);
  back(there, "longer here", 1), back(here, "longer here", 3);
  back(there, "runs here", 2);
  const Claim mine = here.claimed("runs here", 0);
  const TakenIn taken = take(target, source);
  EXPECT_EQ(taken.further, 1);
  EXPECT_EQ(cell(target,
                 "SELECT group_concat(formula || ' ' || CAST(epochs AS INTEGER), ', ') FROM (SELECT * FROM paused ORDER BY formula) AS p"),
            "longer here 3, longer there 3");
  EXPECT_TRUE(target.finish(mine.trial, accuracy(0.5), {}));
  EXPECT_EQ(target.given_back(here.study, target.candidate(candidate_record("longer there")), here.recipe, 0)->epochs, 3);
}

TEST_P(TakeIn, WhatRunsAtTheSourceRunsNotHere) {
  Store &source = file(), &target = open();
  Search there(source);
  const Claim running = there.claimed("x", 0);
  ASSERT_TRUE(source.add_epoch(running.trial, epoch_record(0)));
  HandedOut out;
  ASSERT_EQ(source.tickets().hand_out(source.candidate(candidate_record("sin(x)")), there.recipe, 0, {there.study, kLease, true}, {}, &out),
            ClaimState::kClaimed);
  ASSERT_TRUE(source.tickets().add_epoch(out.ticket, epoch_record(0)));
  EXPECT_EQ(take(target, source).running, 2);
  EXPECT_EQ(cell(target, "SELECT count(*) FROM running"), "0");
  EXPECT_EQ(cell(target, "SELECT formula || ' ' || CAST(epochs AS INTEGER) FROM paused"), "x 1");
  EXPECT_TRUE(target.tickets().out().empty());
  EXPECT_FALSE(target.tickets().find(1)->terms && target.tickets().find(2)->terms) << "a ticket of the source holds nothing here";
  EXPECT_EQ(target.unfinished(there.study, there.recipe).size(), 2u) << "the study goes on with both";
  ASSERT_TRUE(source.finish(running.trial, accuracy(0.5), {epoch_record(0), epoch_record(1)}));
  const TakenIn later = take(target, source);
  EXPECT_EQ(later.further, 1);
  EXPECT_EQ(later.running, 1);
  EXPECT_EQ(cell(target, "SELECT status || ' ' || epochs FROM trials WHERE formula = 'x'"), "done 2");
  EXPECT_TRUE(source.tickets().finish(out.ticket, accuracy(0.5))) << "the source was only read";
}

TEST_P(TakeIn, AStoreDoesNotTakeInItself) {
  Store& target = open();
  fill(target);
  const std::string before = whole(target);
  EXPECT_TRUE(contains(message_of<std::invalid_argument>([&] { take(open(), target); }), "the same database"));
  EXPECT_EQ(difference(whole(target), before), "");
}

TEST_P(TakeIn, APublishedSearchComesInManyBatches) {
  Store& target = open();
  const auto source = published("core1.db");
  int batches = 0;
  const TakenIn taken = target.take_in(*source, {.conflict = {}, .batch = [&](const TakenIn&) { ++batches; }});
  EXPECT_EQ(taken.added, 3'817);
  EXPECT_EQ(batches, 8);
  EXPECT_EQ(difference(whole(target), whole(*source)), "");
}

TEST_P(TakeIn, AFileOfAnOlderVersionComesAsThisVersionReadsIt) {
  Store& target = open();
  const auto source = published("core1-grid.db");
  EXPECT_EQ(take(target, *source).added, 168);
  EXPECT_EQ(difference(whole(target), whole(*source)), "");
}

ACTSEARCH_ON_EVERY_STORE(TakeIn);

/// A new column of a table is to be one of those that are copied, too (db/sql/take_in.cpp).
using Columns = SqliteTest;
TEST_F(Columns, AllComeButNumbersOfRowsAndEndsOfLeases) {
  const auto target_file = directory_ / "target.db";
  const std::map<std::string, std::set<std::string>> kept_out{
      {"candidate", {"id"}},
      {"trial", {"id", "candidate", "recipe", "lease_until_ms", "lease_until_boot_ms"}},
      {"epoch", {"trial"}},
      {"pause", {"trial"}}};
  {
    SqliteStore source = open();
    fill(source);
  }
  {
    sqlite::Connection connection(file_, sqlite::Connection::Mode::kCreate, 1s);
    for (const auto& [table, columns] : kept_out) {
      const auto all = sql::rows(
          connection, "SELECT name, type FROM pragma_table_info(?1)",
          [](const sql::Statement& row) { return std::pair(row.text(0), row.text(1)); }, table);
      for (const auto& [name, type] : all) {  // whatever they mean: values that no other column has, nor any default
        if (columns.contains(name) || std::set<std::string>{"fingerprint", "status", "finished", "seed", "epoch", "step"}.contains(name))
          continue;
        const std::string number = table == "candidate" || table == "trial" ? "id" : "trial";
        const std::string value = type == "TEXT" ? "'" + name + " ' || " + number : std::to_string(100 * name.size()) + " + " + number;
        connection.execute("UPDATE " + table + " SET " + name + " = " + value + (table == "trial" ? " WHERE finished IS NOT NULL" : ""));
      }
    }
  }
  const SqliteStore source(file_, Store::Access::kReadOnly);
  SqliteStore(target_file, Store::Access::kCreate).take_in(source, {});
  const auto rows = [&](const std::filesystem::path& file, const std::string& table) {
    sqlite::Connection connection(file, sqlite::Connection::Mode::kReadOnly, 1s);
    auto row = connection.prepare("SELECT * FROM " + table + " ORDER BY 1");
    Table all = sql::table_of(row, 1'000);
    for (std::size_t i = 0; i < all.columns.size(); ++i) {
      if (all.columns[i].starts_with("lease_"))
        for (auto& cells : all.rows) cells[i].reset();
    }
    return all.rows;
  };
  for (const auto& [table, columns] : kept_out) EXPECT_TRUE(rows(file_, table) == rows(target_file, table)) << table;
}

}  // namespace
}  // namespace actsearch::testing
