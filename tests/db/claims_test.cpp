#include <signal.h>

#include "db/owner.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class Claims : public StoreTest {};
ACTSEARCH_ON_EVERY_STORE(Claims);

TEST_P(Claims, AnotherLiveClaimIsTaken) {
  Store &one = open(), &two = open();
  Search first(one), second(two);
  Claim claim;
  EXPECT_EQ(first.claim("x", 0, &claim), ClaimState::kClaimed);
  EXPECT_EQ(claim.attempt, 1);
  Claim untouched{-1, -1};
  EXPECT_EQ(second.claim("x", 0, &untouched), ClaimState::kTaken);
  EXPECT_EQ(first.claim("x", 0, &untouched), ClaimState::kTaken);
  EXPECT_EQ(untouched.trial, -1);
  EXPECT_TRUE(one.finish(claim.trial, accuracy(0.5), {}));
  EXPECT_EQ(second.claim("x", 0, &untouched), ClaimState::kDone);
}

TEST_P(Claims, AnExpiredLeaseIsTakenOverAndTheFirstOwnerLosesTheTrial) {
  Store &one = open(), &two = open();
  Search first(one), second(two);
  const Claim lost = first.claimed("x", 0, 0s);
  one.add_epoch(lost.trial, epoch_record(0));
  const Claim taken = second.claimed("x", 0);
  EXPECT_EQ(taken.trial, lost.trial);
  EXPECT_EQ(taken.attempt, 2);

  EXPECT_EQ(one.renew(kLease, {{lost.trial, {}}}), std::vector<Id>{lost.trial}) << "who lost it learns it,";
  EXPECT_FALSE(one.add_epoch(lost.trial, epoch_record(5)));
  EXPECT_FALSE(one.pause(lost.trial, {epoch_record(5)}, PauseRecord{5, 1, 10, 1, 0, 1}));
  EXPECT_FALSE(one.give_back(lost.trial, {epoch_record(5)}, {5, 1, 10}));
  EXPECT_FALSE(one.release(lost.trial));
  EXPECT_EQ(two.renew(kLease, {{taken.trial, {}}}), std::vector<Id>{}) << "and who has it keeps it";
  EXPECT_EQ(cell(two, "SELECT count(*) FROM pauses"), "0");
  EXPECT_FALSE(one.finish(lost.trial, accuracy(0.1), {epoch_record(6)}));
  EXPECT_EQ(cell(two, "SELECT group_concat(epoch) FROM epochs"), "0");
  EXPECT_EQ(cell(two, "SELECT owner FROM trials WHERE status = 'running'"), two.owner());

  EXPECT_TRUE(two.finish(taken.trial, accuracy(0.9), {epoch_record(0)}));
  EXPECT_FALSE(one.finish(lost.trial, accuracy(0.1), {}));
  EXPECT_FALSE(two.finish(taken.trial, accuracy(0.1), {}));
  EXPECT_EQ(cell(one, "SELECT accuracy FROM trials"), "0.9");
  EXPECT_EQ(cell(one, "SELECT done FROM recipes"), "1");
}

TEST_P(Claims, AnExpiredLeaseThatNobodyTookStillFinishes) {
  Store& db = open();
  Search search(db);
  EXPECT_TRUE(db.finish(search.claimed("x", 0, 0s).trial, accuracy(0.5), {}));
}

TEST_P(Claims, RenewalKeepsAClaimPastItsLease) {
  Store &one = open(), &two = open();
  Search first(one), second(two);
  first.claimed("x", 0, 0s);
  first.claimed("x", 1, 0s);
  one.renew(kLease);
  Claim claim;
  EXPECT_EQ(second.claim("x", 0, &claim), ClaimState::kTaken);
  EXPECT_EQ(second.claim("x", 1, &claim), ClaimState::kTaken);
}

TEST_P(Claims, AReleasedTrialIsAsIfNeverClaimed) {
  Store &one = open(), &two = open();
  Search first(one), second(two);
  const Claim claim = first.claimed("x", 0);
  one.add_epoch(claim.trial, epoch_record(0));
  one.release(claim.trial);
  EXPECT_EQ(cell(one, "SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM epochs)"), "0");
  EXPECT_EQ(one.counts(first.study).candidates, 0);
  EXPECT_EQ(second.claimed("x", 0).attempt, 1);
}

TEST_P(Claims, ATrialGivenBackKeepsItsEpochsAndHowFarItCame) {
  Store &one = open(), &two = open();
  Search first(one), second(two);
  const Claim claim = first.claimed("x", 0);
  one.add_epoch(claim.trial, epoch_record(0));
  one.give_back(claim.trial, {epoch_record(0), epoch_record(1)}, {.epochs = 2, .steps = 7, .epoch_steps = 100});
  EXPECT_EQ(cell(one, "SELECT status FROM trials"), "released");
  const auto left = one.given_back(first.study, one.candidate(candidate_record("x")), first.recipe, 0);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->epochs, 2);
  EXPECT_EQ(left->steps, 7);
  const Claim again = second.claimed("x", 0);
  EXPECT_EQ(again.trial, claim.trial);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(cell(two, "SELECT group_concat(epoch) FROM epochs"), "0,1");
  one.give_back(claim.trial, {}, {});
  EXPECT_EQ(cell(two, "SELECT status FROM trials"), "running") << "it is another's now";
}

TEST_P(Claims, TrialsThatNobodyIsAtWorkOnAreUnfinished) {
  Store &one = open(), &two = open();
  Search first(one), second(two);
  one.give_back(first.claimed("x", 3).trial, {}, {.epochs = 0, .steps = 7, .epoch_steps = 100});
  first.claimed("sin(x)", 0);
  first.claimed("cos(x)", 0, 0s);  // as of a process that is gone
  first.finished("exp(x)", 0, accuracy(0.5));
  const auto unfinished = two.unfinished(second.study, second.recipe);
  ASSERT_EQ(unfinished.size(), 2u);
  EXPECT_EQ(unfinished[0].record.formula, "x");
  EXPECT_EQ(unfinished[0].seed, 3u);
  ASSERT_TRUE(unfinished[0].given_back);
  EXPECT_EQ(unfinished[0].given_back->steps, 7);
  EXPECT_EQ(unfinished[1].record.formula, "cos(x)");
  EXPECT_FALSE(unfinished[1].given_back) << "how far it came is not known";
  EXPECT_TRUE(two.unfinished(two.study(study_record(2)), second.recipe).empty()) << "another study's are its own";
}

TEST_P(Claims, TheViewRunningShowsHowFarTrialsHaveComeAndNoneWhoseLeaseIsOver) {
  Store& db = open();
  Search search(db, "vgg-s", "vgg-s epochs=4 batch=128");
  const Claim claim = search.claimed("x", 0);
  search.claimed("sin(x)", 0, -1s);
  EXPECT_EQ(cell(db, "SELECT formula || ' ' || CAST(epochs AS INTEGER) || ' of ' || planned_epochs FROM running"), "x 0 of 4");
  db.renew(kLease, {{claim.trial, {.epochs = 1, .steps = 50, .epoch_steps = 200}}});
  EXPECT_EQ(cell(db, "SELECT epochs FROM running WHERE formula = 'x'"), "1.25");
  EXPECT_EQ(cell(db, "SELECT count(*) FROM running"), "2") << "the renewal was of all";
  EXPECT_EQ(cell(db, "SELECT lease_until > started FROM running LIMIT 1"), "1");
  EXPECT_TRUE(db.finish(claim.trial, accuracy(0.5), {}));
  EXPECT_EQ(cell(db, "SELECT formula FROM running"), "sin(x)");
  Store& thief = open();
  thief.renew(kLease, {{claim.trial, {.epochs = 3, .steps = 0, .epoch_steps = 200}}});
  EXPECT_EQ(cell(db, "SELECT formula FROM running"), "sin(x)") << "who has no claim tells nothing";
}

TEST_P(Claims, ATrialThatThreeProcessesDiedWithIsPutLastAndFailsWithTheFourth) {
  Store& db = open();
  Search search(db);
  const auto die = [&](Turn turn) {  // as a process does that claims and is gone
    Store& own = open();
    Claim claim;
    EXPECT_EQ(own.claim(search.study, own.candidate(candidate_record("x")), search.recipe, 0, 0s, &claim, {}, turn), ClaimState::kClaimed);
    return claim.attempt;
  };
  for (int attempt = 1; attempt <= 3; ++attempt) EXPECT_EQ(die(Turn::kUsual), attempt);
  Claim claim;
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kPutLast);
  EXPECT_EQ(cell(db, "SELECT status FROM trials"), "running") << "it waits";
  EXPECT_EQ(die(Turn::kLast), 4);
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kGivenUp);
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kDone);
  EXPECT_EQ(cell(db, "SELECT reason FROM failures"), kDiedReason);
  EXPECT_TRUE(contains(cell(db, "SELECT detail FROM failures"), "4 processes in a row ended")) << cell(db, "SELECT detail FROM failures");
}

TEST_P(Claims, AProcessThatCameFurtherDidNotDieOfItsTrial) {
  Store& db = open();
  Search search(db);
  for (int attempt = 1; attempt <= 6; ++attempt) {  // a machine that is switched off again and again
    Store& own = open();
    const Claim claim = Search(own).claimed("x", 0, 0s);
    EXPECT_EQ(claim.attempt, attempt);
    if (attempt % 2 == 0) {
      EXPECT_TRUE(own.add_epoch(claim.trial, epoch_record(attempt / 2)));
    }
  }
}

TEST_P(Claims, AGivenBackTrialStillKnowsItsDeaths) {
  Store& db = open();
  Search search(db);
  for (int i = 0; i < 2; ++i) {
    Store& own = open();
    Search(own).claimed("x", 0, 0s);
  }
  EXPECT_TRUE(db.release(search.claimed("x", 0).trial));
  EXPECT_EQ(search.claimed("x", 0, 0s).attempt, 3);
  Claim claim;
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kPutLast);
}

TEST_P(Claims, TheTrialsOfADeadProcessAreTakenOverAtOnce) {
  EXPECT_EQ(wait_for(start_process([&] {
              Store& own = open();
              Search(own).claimed("x", 0);
              return 0;
            })),
            0);
  Store& db = open();  // after the fork: SQLite's connections must not cross one
  Search search(db);
  EXPECT_EQ(search.claimed("x", 0).attempt, 2);
}

TEST_P(Claims, TheTrialsOfALiveProcessStayItsOwn) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = start_process([&] {
    Store& own = open();
    Search(own).claimed("x", 0);
    if (write(ready[1], "r", 1) != 1) return 1;
    pause();
    return 0;
  });
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  Store& db = open();
  Search search(db);
  Claim claim;
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kTaken);
  kill(child, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);  // dead, but not yet waited for
  EXPECT_EQ(search.claim("x", 0, &claim), ClaimState::kClaimed);
  EXPECT_EQ(wait_for(child), -SIGKILL);
  close(ready[0]);
  close(ready[1]);
}

TEST(Owner, IsUniqueAndLivesWithItsProcess) {
  const std::string owner = new_owner();
  EXPECT_NE(owner, new_owner());
  EXPECT_FALSE(owner_is_gone(owner));
}

TEST(Owner, AReusedPidIsAnotherProcess) {
  const std::string owner = new_owner();  // host/boot/namespace/pid/start/counter
  const auto counter = owner.rfind('/'), start = owner.rfind('/', counter - 1), pid = owner.rfind('/', start - 1);
  EXPECT_TRUE(owner_is_gone(owner.substr(0, start) + "/1" + owner.substr(counter)));
  EXPECT_TRUE(owner_is_gone(owner.substr(0, pid) + "/4194305" + owner.substr(start))) << "above every pid Linux gives";
}

TEST(Owner, SharesItsClockWithTheWholeMachine) {
  const std::string owner = new_owner();
  EXPECT_TRUE(shares_boot_clock(owner));
  EXPECT_TRUE(shares_boot_clock("other-host" + owner.substr(owner.find('/')))) << "a container has a name of its own";
  EXPECT_FALSE(shares_boot_clock("host/0ther/" + owner));
  EXPECT_FALSE(shares_boot_clock("host/"));
  EXPECT_FALSE(shares_boot_clock(""));
  EXPECT_FALSE(shares_boot_clock("host/?/pid:[1]/1/1/1"));
  EXPECT_GT(boot_clock_ms(), 0);
}

TEST(Owner, OtherMachinesAndUnreadableTextsAreNeverGone) {
  const std::string owner = new_owner();
  EXPECT_FALSE(owner_is_gone("other-host" + owner.substr(owner.find('/'))));
  EXPECT_FALSE(owner_is_gone(""));
  const auto counter = owner.rfind('/'), start = owner.rfind('/', counter - 1), pid = owner.rfind('/', start - 1);
  EXPECT_FALSE(owner_is_gone(owner.substr(0, pid + 1)));
  EXPECT_FALSE(owner_is_gone(owner.substr(0, pid + 1) + "-1/1/1"));
  EXPECT_FALSE(owner_is_gone(owner.substr(0, pid + 1) + "99999999999999999999/1/1"));
}

TEST_P(Claims, ProcessesOnOneFileShareTheWorkWithoutDoingAnyTwice) {
  constexpr int kProcesses = 4, kTrials = 60;
  int ready[2], start[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(start), 0);
  const auto work = [&] {
    Store& db = open();  // all create the file at the same time
    Search search(db);
    close(start[1]);
    char byte = 'r';
    if (write(ready[1], &byte, 1) != 1 || read(start[0], &byte, 1) != 0) return 97;
    int done = 0;
    for (int seed = 0; seed < kTrials; ++seed) {
      Claim claim;
      if (search.claim("x", static_cast<std::uint64_t>(seed), &claim) != ClaimState::kClaimed) continue;
      usleep(20'000);  // a trial takes time without the lock, in which others get theirs
      if (claim.attempt != 1 || !db.finish(claim.trial, accuracy(0.5), {epoch_record(0)})) return 98;
      ++done;
    }
    return done;
  };
  int waiting = 0;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) children.push_back(start_process(work));
  close(ready[1]);
  for (char byte = 0; read(ready[0], &byte, 1) == 1;) {
    if (++waiting == kProcesses) break;
  }
  close(start[1]);  // which all of them see at once
  int together = 0, workers = 0;
  for (const pid_t child : children) {
    const int done = wait_for(child);
    EXPECT_GE(done, 0);
    EXPECT_LE(done, kTrials);
    together += done;
    workers += done > 0;
  }
  close(ready[0]);
  close(start[0]);
  EXPECT_EQ(together, kTrials);
  EXPECT_GE(workers, 2);
  Store& db = open();
  EXPECT_EQ(db.leaderboard({}).at(0).n, kTrials);
  EXPECT_EQ(cell(db, "SELECT count(*) || ' ' || count(DISTINCT seed) || ' ' || max(attempts) FROM trials WHERE status = 'done'"),
            "60 60 1");
}

}  // namespace
}  // namespace actsearch::testing
