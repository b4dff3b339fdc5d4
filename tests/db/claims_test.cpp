#include <signal.h>

#include "db/owner.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

using Claims = DatabaseTest;

TEST_F(Claims, AnotherLiveClaimIsTaken) {
  Database one = open(), two = open();
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

TEST_F(Claims, AnExpiredLeaseIsTakenOverAndTheFirstOwnerLosesTheTrial) {
  Database one = open(), two = open();
  Search first(one), second(two);
  const Claim lost = first.claimed("x", 0, 0s);
  one.add_epoch(lost.trial, epoch_record(0));
  const Claim taken = second.claimed("x", 0);
  EXPECT_EQ(taken.trial, lost.trial);
  EXPECT_EQ(taken.attempt, 2);

  one.renew(kLease);
  one.add_epoch(lost.trial, epoch_record(5));
  one.release(lost.trial);
  EXPECT_FALSE(one.finish(lost.trial, accuracy(0.1), {epoch_record(6)}));
  EXPECT_EQ(cell(two, "SELECT group_concat(epoch) FROM epochs"), "0");
  EXPECT_EQ(cell(two, "SELECT owner FROM trials WHERE status = 'running'"), two.owner());

  EXPECT_TRUE(two.finish(taken.trial, accuracy(0.9), {epoch_record(0)}));
  EXPECT_FALSE(one.finish(lost.trial, accuracy(0.1), {}));
  EXPECT_FALSE(two.finish(taken.trial, accuracy(0.1), {}));
  EXPECT_EQ(cell(one, "SELECT accuracy FROM trials"), "0.9");
  EXPECT_EQ(cell(one, "SELECT done FROM recipes"), "1");
}

TEST_F(Claims, AnExpiredLeaseThatNobodyTookStillFinishes) {
  Database db = open();
  Search search(db);
  EXPECT_TRUE(db.finish(search.claimed("x", 0, 0s).trial, accuracy(0.5), {}));
}

TEST_F(Claims, RenewalKeepsAClaimPastItsLease) {
  Database one = open(), two = open();
  Search first(one), second(two);
  first.claimed("x", 0, 0s);
  first.claimed("x", 1, 0s);
  one.renew(kLease);
  Claim claim;
  EXPECT_EQ(second.claim("x", 0, &claim), ClaimState::kTaken);
  EXPECT_EQ(second.claim("x", 1, &claim), ClaimState::kTaken);
}

TEST_F(Claims, AReleasedTrialIsAsIfNeverClaimed) {
  Database one = open(), two = open();
  Search first(one), second(two);
  const Claim claim = first.claimed("x", 0);
  one.add_epoch(claim.trial, epoch_record(0));
  one.release(claim.trial);
  EXPECT_EQ(cell(one, "SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM epochs)"), "0");
  EXPECT_EQ(one.counts(first.study).candidates, 0);
  EXPECT_EQ(second.claimed("x", 0).attempt, 1);
}

TEST_F(Claims, AReleaseMayKeepItsEpochs) {
  Database one = open(), two = open();
  Search first(one), second(two);
  const Claim claim = first.claimed("x", 0);
  one.add_epoch(claim.trial, epoch_record(0));
  one.release(claim.trial, true);
  EXPECT_EQ(cell(one, "SELECT status FROM trials"), "released");
  const Claim again = second.claimed("x", 0);
  EXPECT_EQ(again.trial, claim.trial);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(cell(two, "SELECT epoch FROM epochs"), "0");
}

TEST_F(Claims, TheTrialsOfADeadProcessAreTakenOverAtOnce) {
  EXPECT_EQ(wait_for(start_process([&] {
              Database own = open();
              Search(own).claimed("x", 0);
              return 0;
            })),
            0);
  Database db = open();  // after the fork: SQLite's connections must not cross one
  Search search(db);
  EXPECT_EQ(search.claimed("x", 0).attempt, 2);
}

TEST_F(Claims, TheTrialsOfALiveProcessStayItsOwn) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = start_process([&] {
    Database own = open();
    Search(own).claimed("x", 0);
    if (write(ready[1], "r", 1) != 1) return 1;
    pause();
    return 0;
  });
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  Database db = open();
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

TEST(Owner, OtherMachinesAndUnreadableTextsAreNeverGone) {
  const std::string owner = new_owner();
  EXPECT_FALSE(owner_is_gone("other-host" + owner.substr(owner.find('/'))));
  EXPECT_FALSE(owner_is_gone(""));
  const auto counter = owner.rfind('/'), start = owner.rfind('/', counter - 1), pid = owner.rfind('/', start - 1);
  EXPECT_FALSE(owner_is_gone(owner.substr(0, pid + 1)));
  EXPECT_FALSE(owner_is_gone(owner.substr(0, pid + 1) + "-1/1/1"));
  EXPECT_FALSE(owner_is_gone(owner.substr(0, pid + 1) + "99999999999999999999/1/1"));
}

TEST_F(Claims, ProcessesOnOneFileShareTheWorkWithoutDoingAnyTwice) {
  constexpr int kProcesses = 4, kTrials = 60;
  int ready[2], start[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(start), 0);
  const auto work = [&] {
    Database db = open();  // all create the file at the same time
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
  const Database db = open();
  EXPECT_EQ(db.leaderboard({}).at(0).n, kTrials);
  EXPECT_EQ(cell(db, "SELECT count(*) || ' ' || count(DISTINCT seed) || ' ' || max(attempts) FROM trials WHERE status = 'done'"),
            "60 60 1");
}

}  // namespace
}  // namespace actsearch::testing
