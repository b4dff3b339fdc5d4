// Many who ask and tell at once, and some that are killed between the two: nothing is lost and nothing doubled.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "search/run/tell.h"
#include "tests/search/run/small_ask.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

/// Runs `body` in a process of its own, which ends without leaving anything behind. The parent has no store open.
pid_t in_a_process(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child != 0) return child;
  try {
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child process: %s\n", error.what());
    _exit(1);
  }
  _exit(0);
}
bool ended_well(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(AskTellProcesses, ThatAskAndTellAtOnceLoseAndDoubleNothing) {
  constexpr int kProcesses = 4, kSeeds = 3;
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "search.db";
  AskPlan plan = small_ask();
  plan.seeds = kSeeds;
  const auto loop = [&] {
    SqliteStore store(file, Store::Access::kCreate);
    Teller teller(store);
    for (;;) {
      const auto trials = Asker(store, plan).ask(2, kLease);  // as a command that is run each time
      if (trials.empty()) return;
      for (const AskedTrial& trial : trials) {
        if (teller.epoch(trial.handed_out.ticket, {1, 0.5, 0.5}).answer != Answer::kGoOn) throw std::runtime_error("it is ours");
        const double score = 0.5 + 0.01 * static_cast<double>(trial.seed);
        if (teller.result(trial.handed_out.ticket, {.score = score, .failure = std::nullopt}).answer != Answer::kStored)
          throw std::runtime_error("it was told before");
      }
    }
  };
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) children.push_back(in_a_process(loop));
  for (const pid_t child : children) EXPECT_TRUE(ended_well(child));
  const SqliteStore store(file, Store::Access::kReadOnly);
  EXPECT_EQ(
      cell(store,
           "SELECT count(*) || ' ' || sum(status = 'done') || ' ' || max(attempts) || ' ' || (SELECT count(*) FROM epochs) FROM trials"),
      std::to_string(kFunctions * kSeeds) + " " + std::to_string(kFunctions * kSeeds) + " 1 " + std::to_string(kFunctions * kSeeds));
  EXPECT_EQ(cell(store, "SELECT count(*) || ' ' || min(n) || ' ' || max(n) FROM leaderboard"), std::to_string(kFunctions) + " 3 3");
}

TEST(AskTellProcesses, ThatAreKilledBetweenAskAndTellLoseNothing) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "search.db";
  const auto ask = [&](int count, std::chrono::seconds lease) {
    SqliteStore store(file, Store::Access::kCreate);
    return Asker(store, small_ask()).ask(count, lease);
  };
  const auto killed = [&](int count, std::chrono::seconds lease) {
    int status = 0;
    const pid_t child = in_a_process([&] {
      ask(count, lease);
      kill(getpid(), SIGKILL);
    });
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status);
  };
  EXPECT_TRUE(killed(3, kLease)) << "its tickets live on";
  EXPECT_TRUE(killed(4, 0s)) << "of these the lease ends too";
  SqliteStore store(file, Store::Access::kCreate);
  Teller teller(store);
  const auto out = store.tickets().out();
  ASSERT_EQ(out.size(), 7u);
  for (const TicketTrial& trial : out) {
    if (trial.lease_left <= 0s) continue;
    EXPECT_EQ(teller.result(trial.ticket, {.score = 0.5, .failure = std::nullopt}).answer, Answer::kStored) << "any process may tell";
  }
  const auto rest = ask(100, kLease);
  EXPECT_EQ(rest.size(), kFunctions - 3u);
  for (const AskedTrial& trial : rest) teller.result(trial.handed_out.ticket, {.score = 0.5, .failure = std::nullopt});
  EXPECT_EQ(cell(store, "SELECT count(*) || ' ' || max(attempts) FROM trials WHERE status = 'done'"), std::to_string(kFunctions) + " 2");
}

}  // namespace
}  // namespace actsearch::testing
