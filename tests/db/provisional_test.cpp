// What a race has stopped, as a leaderboard lists it: after what has finished, and never among it.

#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class ProvisionalTest : public StoreTest {
 protected:
  static PauseRecord pause_at(int epoch, std::int64_t step, double train_loss) {
    return {.epoch = epoch, .step = step, .epoch_steps = 100, .train_loss = train_loss, .train_accuracy = 0.25, .seconds = 1.5};
  }
  static std::vector<std::string> formulas(const Provisional& provisional) {
    std::vector<std::string> all;
    for (const ProvisionalRow& row : provisional.rows) all.push_back(row.formula);
    return all;
  }
};
ACTSEARCH_ON_EVERY_STORE(ProvisionalTest);

using Names = std::vector<std::string>;

TEST_P(ProvisionalTest, TheFurthestComeFirstThenThoseWithTheLowestLoss) {
  Store& db = open();
  Search search(db, "vgg-s", "vgg-s epochs=3 fp32");
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  db.pause(search.claimed("sin(x)", 0).trial, {}, pause_at(0, 25, 1.5));
  db.pause(search.claimed("cos(x)", 0).trial, {epoch_record(0)}, pause_at(1, 50, 1.9));
  db.pause(search.claimed("tanh(x)", 0).trial, {epoch_record(0)}, std::nullopt);
  const Provisional provisional = db.provisional("vgg-s", 10);
  EXPECT_EQ(formulas(provisional), (Names{"cos(x)", "tanh(x)", "sin(x)", "x"}));
  EXPECT_EQ(provisional.rows[0].epochs, 1.5);
  EXPECT_EQ(provisional.rows[0].train_loss, 1.9) << "of the pause, not of the epoch before it";
  EXPECT_EQ(provisional.rows[1].epochs, 1);
  EXPECT_EQ(provisional.rows[1].train_loss, epoch_record(0).train_loss);
  EXPECT_EQ(provisional.rows[2].epochs, 0.25);
  EXPECT_EQ(provisional.recipe.epochs, 3);
  EXPECT_EQ(provisional.trials, 4);
  EXPECT_EQ(formulas(db.provisional("vgg-s", 2)), (Names{"cos(x)", "tanh(x)"}));
  EXPECT_TRUE(db.provisional("vgg-s", 0).rows.empty());
  EXPECT_TRUE(db.provisional("vgg-m", 10).rows.empty());
}

TEST_P(ProvisionalTest, AFunctionIsRankedOrProvisionalAndNeverBoth) {
  Store& db = open();
  Search search(db);
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  db.pause(search.claimed("x", 1).trial, {}, pause_at(0, 50, 1.9));
  db.pause(search.claimed("sin(x)", 1).trial, {}, pause_at(0, 25, 1.0));
  search.finished("sin(x)", 0, accuracy(0.7));
  ASSERT_EQ(formulas(db.provisional({}, 10)), Names{"x"}) << "once, however many of its seeds wait";
  EXPECT_EQ(db.provisional({}, 10).rows[0].n, 2);
  EXPECT_EQ(db.provisional({}, 10).rows[0].epochs, 0.5);
  const auto ranked = db.leaderboard({});
  ASSERT_EQ(ranked.size(), 1u);
  EXPECT_EQ(ranked[0].formula, "sin(x)");
  EXPECT_EQ(ranked[0].n, 1) << "its paused seed counts for nothing";
  EXPECT_EQ(cell(db, "SELECT count(*) FROM leaderboard"), "1");
  search.finished("x", 0, accuracy(0.6));
  EXPECT_TRUE(db.provisional({}, 10).rows.empty());
}

TEST_P(ProvisionalTest, WhoGoesOnOrIsGivenBackWithNothingKnownIsNotListed) {
  Store& db = open();
  Search search(db);
  db.pause(search.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  EXPECT_EQ(formulas(db.provisional({}, 10)), Names{"x"});
  const Claim again = search.claimed("x", 0);
  EXPECT_TRUE(db.provisional({}, 10).rows.empty()) << "it is in training";
  db.add_epoch(again.trial, epoch_record(0));
  db.give_back(again.trial, {}, {.epochs = 1});
  ASSERT_EQ(formulas(db.provisional({}, 10)), Names{"x"}) << "an interruption leaves it where its last epoch ended";
  EXPECT_EQ(db.provisional({}, 10).rows[0].epochs, 1);
  db.give_back(search.claimed("sin(x)", 0).trial, {}, {});
  EXPECT_EQ(formulas(db.provisional({}, 10)), Names{"x"});
}

TEST_P(ProvisionalTest, IsOfTheConditionsThatAreRankedOrElseOfThoseWithTheMostPauses) {
  Store& db = open();
  Search few(db, "vgg-s", "vgg-s epochs=1"), many(db, "vgg-s", "vgg-s epochs=2"), other(db, "vgg-m", "vgg-m epochs=1");
  db.pause(few.claimed("x", 0).trial, {}, pause_at(0, 25, 2.0));
  for (const char* formula : {"sin(x)", "cos(x)"}) db.pause(many.claimed(formula, 0).trial, {}, pause_at(0, 25, 2.0));
  EXPECT_EQ(db.provisional({}, 10).recipe.text, "vgg-s epochs=2");
  EXPECT_EQ(db.provisional("vgg-s epochs=1", 10).recipe.text, "vgg-s epochs=1");
  other.finished("tanh(x)", 0, accuracy(0.5));
  EXPECT_TRUE(db.provisional({}, 10).rows.empty()) << "what is ranked is of vgg-m, where nothing waits";
  few.finished("tanh(x)", 0, accuracy(0.5));
  EXPECT_EQ(formulas(db.provisional("vgg-s", 10)), Names{"x"});
}

}  // namespace
}  // namespace actsearch::testing
