#include "db/tickets.h"

#include <thread>

#include "db/owner.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class TicketsTest : public StoreTest {
 protected:
  /// A trial of x with the seed, handed out by `store`; kClaimed is expected.
  static HandedOut handed_out(Store& store, std::uint64_t seed, std::chrono::seconds lease = kLease) {
    HandedOut out;
    EXPECT_EQ(asked(store, seed, lease, &out), ClaimState::kClaimed);
    return out;
  }
  static ClaimState asked(Store& store, std::uint64_t seed, std::chrono::seconds lease, HandedOut* out) {
    const Search search(store);
    return store.tickets().hand_out(store.candidate(candidate_record("x")), search.recipe, seed,
                                    {.study = search.study, .lease = lease, .judged = true}, 7, out);
  }
  static TicketTrial found(const Store& store, const Claim& ticket) {
    const auto trial = store.tickets().find(ticket.trial);
    EXPECT_TRUE(trial);
    return trial.value_or(TicketTrial{});
  }
};
ACTSEARCH_ON_EVERY_STORE(TicketsTest);

TEST_P(TicketsTest, OutliveTheProcessThatTookThem) {
  EXPECT_EQ(wait_for(start_process([&] { return static_cast<int>(handed_out(open(), 0).ticket.trial); })), 1);
  Store& db = open();  // after the fork: SQLite's connections must not cross one
  const TicketTrial trial = found(db, {1, 1});
  EXPECT_EQ(trial.status, TrialStatus::kRunning);
  EXPECT_GT(trial.lease_left, 500s);
  ASSERT_TRUE(trial.terms);
  EXPECT_EQ(trial.terms->study, Search(db).study);
  EXPECT_EQ(trial.terms->lease, kLease);
  EXPECT_TRUE(trial.terms->judged);
  HandedOut out;
  EXPECT_EQ(asked(db, 0, kLease, &out), ClaimState::kTaken);
  EXPECT_EQ(out.ticket, (Claim{1, 1})) << "whose it is";
  Claim claim;
  Search search(db);
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kTaken) << "for a process too";
  EXPECT_TRUE(db.tickets().finish({1, 1}, accuracy(0.5)));
  EXPECT_EQ(asked(db, 0, kLease, &out), ClaimState::kDone);
  EXPECT_EQ(
      cell(db, "SELECT accuracy || ' ' || n || ' ' || place FROM trials JOIN study_trials USING (trial), (SELECT n FROM leaderboard) AS l"),
      "0.5 1 7");
}

TEST_P(TicketsTest, OfAnExpiredLeaseEndWhenTheTrialIsHandedOutAgain) {
  Store &one = open(), &two = open();
  const HandedOut first = handed_out(one, 0, 0s);
  EXPECT_TRUE(one.tickets().add_epoch(first.ticket, epoch_record(0)));
  EXPECT_LE(found(one, first.ticket).lease_left, 0s);
  const HandedOut second = handed_out(two, 0);
  EXPECT_EQ(second.ticket, (Claim{first.ticket.trial, 2}));
  EXPECT_EQ(second.from_epoch, 0) << "nobody knows what is left of that training";
  EXPECT_EQ(cell(two, "SELECT count(*) FROM epochs"), "0");

  EXPECT_FALSE(one.tickets().renew(first.ticket, kLease));
  EXPECT_FALSE(one.tickets().add_epoch(first.ticket, epoch_record(0)));
  EXPECT_FALSE(one.tickets().give_back(first.ticket));
  EXPECT_FALSE(one.tickets().finish(first.ticket, accuracy(0.1)));
  EXPECT_EQ(cell(two, "SELECT count(*) FROM epochs"), "0");
  EXPECT_EQ(found(one, first.ticket).ticket, second.ticket);
  EXPECT_TRUE(two.tickets().finish(second.ticket, accuracy(0.9)));
  EXPECT_FALSE(two.tickets().finish(second.ticket, accuracy(0.1)));
  EXPECT_EQ(cell(one, "SELECT accuracy FROM trials"), "0.9");
  EXPECT_EQ(cell(one, "SELECT done FROM recipes"), "1");
}

TEST_P(TicketsTest, OfAnExpiredLeaseStillCountWhereNobodyAskedSince) {
  Store& db = open();
  const HandedOut late = handed_out(db, 0, 0s), back = handed_out(db, 1);
  EXPECT_TRUE(db.tickets().finish(late.ticket, accuracy(0.5)));
  EXPECT_TRUE(db.tickets().give_back(back.ticket));
  EXPECT_FALSE(db.tickets().add_epoch(back.ticket, epoch_record(0)));
  EXPECT_TRUE(db.tickets().finish(back.ticket, accuracy(0.5)));
  EXPECT_EQ(cell(db, "SELECT n FROM leaderboard"), "2");
}

TEST_P(TicketsTest, GiveATrialBackWithItsEpochs) {
  Store& db = open();
  const HandedOut first = handed_out(db, 3);
  EXPECT_EQ(first.from_epoch, 0);
  EXPECT_TRUE(db.tickets().add_epoch(first.ticket, epoch_record(1)));  // not each epoch need be told
  EXPECT_TRUE(db.tickets().give_back(first.ticket));
  const TicketTrial waits = found(db, first.ticket);
  EXPECT_EQ(waits.status, TrialStatus::kReleased);
  EXPECT_EQ(waits.epochs, 2);
  EXPECT_EQ(waits.train_loss, 0.5);
  EXPECT_TRUE(waits.terms) << "who shows the ticket again is told of its study";
  Search search(db);
  const auto unfinished = db.unfinished(search.study, search.recipe);
  ASSERT_EQ(unfinished.size(), 1u);
  EXPECT_EQ(unfinished[0].given_back->epochs, 2);
  EXPECT_EQ(cell(db, "SELECT CAST(epochs AS INTEGER) || ' ' || train_loss FROM paused"), "2 0.5");

  const HandedOut again = handed_out(db, 3);
  EXPECT_EQ(again.ticket, (Claim{first.ticket.trial, 2}));
  EXPECT_EQ(again.from_epoch, 2);
  EXPECT_EQ(cell(db, "SELECT group_concat(epoch) FROM epochs"), "1");
  EXPECT_FALSE(db.tickets().finish(first.ticket, accuracy(0.1)));
}

TEST_P(TicketsTest, AreRenewedByHandAndByEachEpoch) {
  Store& db = open();
  const Claim ticket = handed_out(db, 0, 0s).ticket;
  EXPECT_TRUE(db.tickets().renew(ticket, kLease));
  HandedOut out;
  EXPECT_EQ(asked(db, 0, kLease, &out), ClaimState::kTaken);
  EXPECT_EQ(found(db, ticket).terms->lease, kLease) << "later renewals are as long";
  for (const bool by_epoch : {true, false}) {
    const std::string before = found(db, ticket).lease_until;
    std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(by_epoch ? db.tickets().add_epoch(ticket, epoch_record(0)) : db.tickets().renew(ticket, std::nullopt));
    EXPECT_GT(found(db, ticket).lease_until, before);
  }
  EXPECT_EQ(cell(db, "SELECT epochs FROM running"), "1.0");
}

TEST_P(TicketsTest, ThatExpireAreNoDeaths) {
  Store& db = open();
  for (int i = 1; i <= 2 * kDeathsToPutLast; ++i) EXPECT_EQ(handed_out(db, 0, 0s).ticket.attempt, i);
  Search search(db);
  const Claim claim = search.claimed("x", 0, 0s);
  EXPECT_EQ(claim.attempt, 2 * kDeathsToPutLast + 1) << "the last ticket holds nothing any more";
  EXPECT_FALSE(db.tickets().finish({claim.trial, claim.attempt - 1}, accuracy(0.1)));
  EXPECT_FALSE(db.tickets().finish(claim, accuracy(0.1))) << "a process's claim is no ticket";
  EXPECT_FALSE(found(db, claim).terms);
  EXPECT_EQ(db.tickets().out().size(), 0u);
}

TEST_P(TicketsTest, ThatAreOutAreListedTheOldestFirst) {
  Store& db = open();
  Search(db).claimed("x", 9);
  const Claim done = handed_out(db, 0).ticket, over = handed_out(db, 1, 0s).ticket, back = handed_out(db, 2).ticket,
              held = handed_out(db, 3).ticket;
  EXPECT_TRUE(db.tickets().finish(done, accuracy(0.5)));
  EXPECT_TRUE(db.tickets().give_back(back));
  std::vector<Id> out;
  for (const TicketTrial& trial : db.tickets().out()) out.push_back(trial.ticket.trial);
  EXPECT_EQ(out, (std::vector<Id>{over.trial, held.trial}));
  EXPECT_FALSE(db.tickets().find(100));
}

TEST_P(TicketsTest, FunctionsWithFewerSeedsThanAskedForAreKnown) {
  Store& db = open();
  handed_out(db, 4);
  Search search(db);
  search.finished("sin(x)", 4, accuracy(0.5));
  search.finished("sin(x)", 5, accuracy(0.5));
  const auto begun = db.tickets().begun(search.study, search.recipe, 4, 5);
  ASSERT_EQ(begun.size(), 1u);
  EXPECT_EQ(begun[0].record.formula, "x");
  EXPECT_EQ(begun[0].place, 7u);
  EXPECT_EQ(db.tickets().begun(search.study, search.recipe, 4, 6).size(), 2u);
  EXPECT_TRUE(db.tickets().begun(search.study, search.recipe, 4, 4).empty());
}

TEST_P(TicketsTest, ManyProcessesThatAskAtOnceGetEachTrialOnce) {
  constexpr int kProcesses = 4, kTrials = 40;
  const auto work = [&] {
    Store& db = open();
    int got = 0;
    for (int seed = 0; seed < kTrials; ++seed) {
      HandedOut out;
      got += asked(db, static_cast<std::uint64_t>(seed), kLease, &out) == ClaimState::kClaimed ? 1 : 0;
    }
    return got;
  };
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) children.push_back(start_process(work));
  int together = 0;
  for (const pid_t child : children) together += wait_for(child);
  EXPECT_EQ(together, kTrials);
  Store& db = open();
  EXPECT_EQ(db.tickets().out().size(), static_cast<std::size_t>(kTrials));
  EXPECT_EQ(cell(db, "SELECT max(attempts) FROM trials"), "1");
}

TEST(Owner, ATicketIsNeverGoneAndReadsTheClockOfItsMachine) {
  const std::string owner = ticket_owner({.study = 12, .lease = 7200s, .judged = false});
  const auto terms = ticket_terms(owner);
  ASSERT_TRUE(terms) << owner;
  EXPECT_EQ(terms->study, 12);
  EXPECT_EQ(terms->lease, 7200s);
  EXPECT_FALSE(terms->judged);
  EXPECT_FALSE(owner_is_gone(owner));
  EXPECT_TRUE(shares_boot_clock(owner));
  for (const std::string& other : {new_owner(), std::string(), owner + "/1", owner.substr(0, owner.rfind('/')), "x" + owner,
                                   std::string("ticket/boot/x/7200/judged"), std::string("ticket/boot/1/7200/perhaps")}) {
    EXPECT_FALSE(ticket_terms(other)) << other;
  }
}

}  // namespace
}  // namespace actsearch::testing
