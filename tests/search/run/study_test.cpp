#include "search/run/study.h"

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "db/sqlite/store.h"
#include "grammar/candidate.h"
#include "grammar/fingerprint.h"
#include "grammar/notation.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

class StudyTest : public RunsOnDatabase {
 protected:
  SearchReport run(const SearchPlan& plan, const Evaluator& evaluator = fake_outcome) {
    return run_search(database_, plan, evaluator, progress_, interrupt_);
  }
  std::string count(const std::string& table, const std::string& where = "1") {
    return cell(database_, "SELECT count(*) FROM " + table + " WHERE " + where);
  }
};

// x+x, x+s, x+t, s+s, s+t, t+t and the same products: commuted spellings are the same function.
constexpr int kFunctions = 12;

TEST_F(StudyTest, TrainsEveryDistinctFunctionOfASpaceOnce) {
  const SearchReport report = run(small_plan());
  EXPECT_EQ(report.run.ending, Ending::kFinished);
  EXPECT_EQ(report.run.done, kFunctions);
  EXPECT_EQ(report.candidates, kFunctions);
  EXPECT_EQ(report.repeated, 18 - kFunctions);
  EXPECT_EQ(report.run.epochs, 4 * kFunctions);
  EXPECT_EQ(count("trials", "status = 'done' AND epochs = 4"), std::to_string(kFunctions));
  EXPECT_EQ(database_.leaderboard({}).size(), static_cast<std::size_t>(kFunctions));
}

TEST_F(StudyTest, RunAgainItFindsEverythingDone) {
  run(small_plan());
  const SearchReport again = run(small_plan());
  EXPECT_EQ(again.run.ending, Ending::kFinished);
  EXPECT_EQ(again.run.done, 0);
  EXPECT_EQ(again.run.skipped, kFunctions);
  EXPECT_EQ(count("studies"), "1");
}

TEST_F(StudyTest, AStrategyThatLearnsTrainsEachFunctionOnceAndPaysNothingForRepetitions) {
  for (const char* const strategy : {"evolution", "ppo"}) {
    SearchPlan plan = small_plan();
    plan.strategy = strategy;
    plan.run.seed = 11;
    plan.run.budget.trials = kFunctions + 5;
    std::map<std::string, int> trained;
    std::mutex mutex;
    const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
      const std::lock_guard lock(mutex);
      ++trained[std::to_string(evaluate_forward(candidate.program, 1.0, {})) + " " +
                std::to_string(evaluate_forward(candidate.program, -2.0, {}))];
      return fake_outcome(candidate, recipe, options);
    });
    for (const auto& [function, times] : trained) EXPECT_EQ(times, 1) << strategy << ": " << function;
    EXPECT_EQ(report.run.done, static_cast<std::int64_t>(trained.size())) << strategy << ": only trials are charged";
    EXPECT_GT(report.repeated, 100) << strategy;
    EXPECT_EQ(report.run.ending, Ending::kFinished) << strategy << " ends when it proposes nothing new";
    const auto observations = database_.observations(report.study);
    EXPECT_EQ(observations.size(), trained.size());
    for (const Observation& seen : observations) EXPECT_LT(seen.place, plan.space.size());
  }
}

TEST_F(StudyTest, AStrategyThatLearnsGoesOnWithWhatItsStudyKnows) {
  SearchPlan plan = small_plan();
  plan.strategy = "evolution";
  plan.run.budget.trials = 5;
  const SearchReport first = run(plan);
  EXPECT_EQ(first.run.done, 5);
  const SearchReport second = run(plan);
  EXPECT_EQ(second.study, first.study);
  EXPECT_EQ(second.run.done, 5);
  EXPECT_EQ(second.run.skipped, 0) << "what is known costs not even a claim";
  EXPECT_EQ(count("trials", "status = 'done'"), "10");
}

TEST_F(StudyTest, TheSurrogateGoesOnWhereItWouldHaveBeenAndEndsWithTheSpace) {
  SearchPlan plan = small_plan();
  plan.strategy = "surrogate";
  plan.space =
      Space("core1", std::vector<std::string>{"identity", "sigmoid", "tanh", "abs", "sin"}, std::vector<std::string>{"add", "mul"});
  plan.run.jobs = 1;
  const auto order = [](const SqliteStore& database) {
    std::vector<std::string> formulas;
    for (const auto& row : database.query("SELECT formula FROM trials ORDER BY trial").rows) formulas.push_back(*row[0]);
    return formulas;
  };
  const SearchReport whole = run(plan);
  EXPECT_EQ(whole.run.ending, Ending::kFinished);
  EXPECT_EQ(whole.run.done, 29) << "15 sums and 14 products, for |x|·|x| is x·x";
  EXPECT_NE(log_.str().find("(expected "), std::string::npos) << "its lines say what the model expected:\n" << log_.str();

  SqliteStore other(directory_.path() / "other.db", Store::Access::kCreate);
  for (const int trials : {7, 14, 100}) {
    plan.run.budget.trials = trials;
    run_search(other, plan, fake_outcome, progress_, interrupt_);
  }
  EXPECT_EQ(order(other), order(database_));
}

TEST_F(StudyTest, TheSurrogateTrainsEachFunctionOnceWithSeveralJobs) {
  SearchPlan plan = small_plan();
  plan.strategy = "surrogate";
  plan.run.jobs = 4;
  EXPECT_EQ(run(plan).run.done, kFunctions);
  EXPECT_EQ(count("trials"), std::to_string(kFunctions));
  const SearchReport again = run(plan);
  EXPECT_EQ(again.run.done, 0);
  EXPECT_EQ(again.run.ending, Ending::kFinished);
}

TEST_F(StudyTest, RunsOfTheSurrogateThatShareAFileTrainEachFunctionOnce) {
  SearchPlan plan = small_plan();
  plan.strategy = "surrogate";
  plan.run.jobs = 1;
  std::int64_t done[2] = {};
  std::vector<std::thread> runs;
  for (std::int64_t& mine : done) {
    runs.emplace_back([&] {
      SqliteStore database(file_, Store::Access::kCreate);
      std::ostringstream log;
      Progress progress(log, {});
      mine = run_search(database, plan, fake_outcome, progress, interrupt_).run.done;
    });
  }
  for (std::thread& thread : runs) thread.join();
  EXPECT_EQ(done[0] + done[1], kFunctions);
  EXPECT_EQ(count("trials", "status = 'done'"), std::to_string(kFunctions));
}

TEST_F(StudyTest, AStudyOfAnotherModelIsRefusedAndNothingIsStored) {
  SearchPlan plan = small_plan();
  plan.strategy = "surrogate";
  StudyRecord old = to_record(plan);
  const std::size_t at = old.conditions.find("curve features ");
  ASSERT_NE(at, std::string::npos) << old.conditions;
  old.conditions.replace(at, std::string("curve features 1").size(), "curve features 0");
  database_.study(old);
  try {
    run(plan);
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("it began with 'curve features 0, trees 1', and this program has 'curve features 1, trees 1'"),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(count("studies"), "1");
  EXPECT_EQ(count("trials"), "0");
  plan.run.seed = 1;
  EXPECT_EQ(run(plan).run.done, kFunctions) << "another study of the file is not concerned";
}

TEST_F(StudyTest, EndsAtTheTrialBudgetAndGoesOnInTheNextRun) {
  SearchPlan plan = small_plan();
  plan.run.budget.trials = 5;
  SearchReport report = run(plan);
  EXPECT_EQ(report.run.ending, Ending::kBudget);
  EXPECT_EQ(report.run.done, 5);
  report = run(plan);
  EXPECT_EQ(report.run.done, 5);
  report = run(plan);
  EXPECT_EQ(report.run.done, 2);
  EXPECT_EQ(report.run.ending, Ending::kFinished);
  EXPECT_EQ(count("trials"), std::to_string(kFunctions));
}

TEST_F(StudyTest, NeverSpendsMoreEpochsThanTheBudget) {
  SearchPlan plan = small_plan();
  plan.run.budget.epochs = 11;  // of 4 a trial
  const SearchReport report = run(plan);
  EXPECT_EQ(report.run.ending, Ending::kBudget);
  EXPECT_EQ(report.run.epochs, 8);
}

TEST_F(StudyTest, TheOrderOfProposalsDependsOnTheSeedAlone) {
  std::map<std::uint64_t, std::vector<std::string>> orders;
  for (const int jobs : {1, 2}) {
    for (const std::uint64_t seed : {1, 2}) {
      const SqliteStore database(directory_.path() / (std::to_string(jobs) + std::to_string(seed)), Store::Access::kCreate);
      SearchPlan plan = small_plan();
      plan.run.jobs = jobs;
      plan.run.seed = seed;
      run_search(const_cast<SqliteStore&>(database), plan, fake_outcome, progress_, interrupt_);
      std::vector<std::string> order;
      for (const auto& row : database.query("SELECT formula FROM trials ORDER BY trial").rows) order.push_back(*row[0]);
      const auto [known, fresh] = orders.emplace(seed, order);
      EXPECT_EQ(known->second, order) << "seed " << seed << " with " << jobs << " jobs";
    }
  }
  EXPECT_NE(orders[1], orders[2]);
}

TEST_F(StudyTest, WhoComesWithAnotherPrecisionIsToldWhatWouldGoOn) {
  const SearchPlan before = small_plan();
  SearchPlan moved = small_plan();
  moved.run.precision = Precision::kBf16;
  moved.run.recipe_text = conditions_text(moved.run.recipe, moved.run.precision, moved.data);
  EXPECT_EQ(note_on_precision(database_, moved.run), "") << "an empty file";

  run(before);
  EXPECT_EQ(note_on_precision(database_, before.run), "");
  const std::string note = note_on_precision(database_, moved.run);
  EXPECT_NE(note.find(std::to_string(kFunctions) + " trials"), std::string::npos) << note;
  EXPECT_NE(note.find("anew in bf16; --precision fp32 would"), std::string::npos) << note;
  moved.run.recipe_text = conditions_text(moved.run.recipe, moved.run.precision, "others");
  EXPECT_EQ(note_on_precision(database_, moved.run), "") << "these data have no trials in any precision";

  moved.run.recipe_text = conditions_text(moved.run.recipe, moved.run.precision, moved.data);
  run(moved);
  EXPECT_EQ(note_on_precision(database_, moved.run), "") << "who has begun there knows";
}

TEST_F(StudyTest, EveryCandidateIsTrainedWithTheSameSeeds) {
  SearchPlan plan = small_plan();
  plan.run.seed = 10;
  plan.run.seeds = 3;
  EXPECT_EQ(run(plan).run.done, 3 * kFunctions);
  EXPECT_EQ(count("leaderboard", "n = 3"), std::to_string(kFunctions));
  EXPECT_EQ(cell(database_, "SELECT min(seed) || ' ' || max(seed) FROM trials"), "10 12");
}

TEST_F(StudyTest, BaselinesTakeTurnsWithProposalsAndTheReferencesComeFirst) {
  SearchPlan plan = small_plan();
  plan.baselines = true;
  plan.run.jobs = 1;
  run(plan);
  const Table table =
      database_.query("SELECT t.name, (SELECT max(place) FROM study_trials s WHERE s.trial = t.trial) FROM trials t ORDER BY t.trial");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const bool proposal = table.rows[i][1].has_value();
    if (i < kFunctions) {  // some of the space are baselines, so there are fewer proposals than functions
      EXPECT_EQ(proposal, i % 2 == 1) << "trial " << i;
    }
    if (!proposal) names.push_back(*table.rows[i][0]);
  }
  ASSERT_GE(names.size(), 3u);
  EXPECT_EQ(std::vector<std::string>(names.begin(), names.begin() + 3), (std::vector<std::string>{"relu", "swish", "swish1"}));
  for (const NamedActivation& baseline : baselines()) EXPECT_EQ(count("trials", "name = '" + std::string(baseline.name) + "'"), "1");
}

TEST_F(StudyTest, AWellKnownFunctionGetsItsNameHoweverSpelled) {
  SearchPlan plan = small_plan();
  plan.space = Space("core1", std::vector<std::string>{"identity"}, std::vector<std::string>{"sigmoid_mul"});
  run(plan);
  EXPECT_EQ(cell(database_, "SELECT name FROM trials"), "swish1");
}

TEST_F(StudyTest, AllTrialsOfAFunctionTrainOneSpelling) {
  std::map<std::string, std::set<std::string>> programs;  // by what they compute
  std::mutex mutex;
  const Evaluator recording = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    std::string text;
    for (const Instruction& i : candidate.program.instructions) {
      for (const int part : {static_cast<int>(i.kind), static_cast<int>(i.function), int{i.a}, int{i.b}})
        text += std::to_string(part) + " ";
    }
    const std::lock_guard lock(mutex);
    programs[examine(candidate.program).fingerprint].insert(text);
    return fake_outcome(candidate, recipe, options);
  };
  for (const std::uint64_t seed : {0, 1, 2}) {  // each meets the space in another order
    SearchPlan plan = small_plan();
    plan.run.seed = seed;
    run(plan, recording);
  }
  SearchPlan given = small_plan();
  given.given = candidates_of({"tanh(x) + x", "mix(tanh(x), tanh(x)) + x", "mix(tanh(x), tanh(x))", "2 * sigmoid(2 * x) - 1"});
  given.run.seed = 3;
  run(given, recording);
  EXPECT_EQ(programs.size(), kFunctions + 1u);
  for (const auto& [fingerprint, trained] : programs) EXPECT_EQ(trained.size(), 1u);
  EXPECT_EQ(cell(database_, "SELECT formula FROM candidates WHERE name = 'tanh'"), "tanh(x)");
  EXPECT_EQ(count("trials", "beta != '[]'"), "0") << "a parameter that does not matter is none";
}

TEST_F(StudyTest, ACandidateThatWasChangedByHandTrainsAsItWasMet) {
  const Id damaged = database_.candidate({candidate_of("x * tanh(x)").fingerprint, "x * tanh(", "", 0});
  const Id other = database_.candidate({candidate_of("x + tanh(x)").fingerprint, "sin(x)", "", 0});
  run(small_plan());
  EXPECT_EQ(count("trials", "status = 'done' AND candidate IN (" + std::to_string(damaged) + ", " + std::to_string(other) + ")"), "2");
}

TEST_F(StudyTest, RefusesConstantsAndWhatIsNotFiniteAndKeepsTheReason) {
  SearchPlan plan = small_plan();
  plan.space = Space("core1", std::vector<std::string>{"identity", "sqrt"}, std::vector<std::string>{"sub"});
  const SearchReport report = run(plan);
  EXPECT_EQ(report.run.done, 0);
  EXPECT_EQ(report.rejected, 4);  // x - x, √x - √x, x - √x, √x - x
  EXPECT_EQ(count("rejections", "reason = 'constant'"), "1");
  EXPECT_EQ(count("rejections"), "4");
}

TEST_F(StudyTest, AFailedTrialIsAResultWithItsReason) {
  const Evaluator evaluator = [](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    TrialOutcome outcome = fake_outcome(candidate, recipe, options);
    if (candidate.program.instructions.size() % 2 == 0) {
      outcome.failure = Failure::kNonFiniteLoss;
      outcome.detail = "in epoch 1";
      outcome.epochs.resize(1);
    }
    return outcome;
  };
  const SearchReport report = run(small_plan(), evaluator);
  EXPECT_EQ(report.run.done, kFunctions);
  ASSERT_GT(report.run.failed, 0);
  ASSERT_LT(report.run.failed, kFunctions);
  EXPECT_EQ(count("failures", "reason = 'non-finite loss' AND detail = 'in epoch 1' AND epochs = 1"), std::to_string(report.run.failed));
  EXPECT_EQ(count("leaderboard"), std::to_string(kFunctions - report.run.failed));
  EXPECT_EQ(run(small_plan(), evaluator).run.done, 0) << "a failure is not tried again";
}

TEST_F(StudyTest, AnInterruptGivesBackWhatIsInProgress) {
  std::atomic<int> calls{0};
  const Evaluator evaluator = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    if (++calls <= 3) return fake_outcome(candidate, recipe, options);
    interrupt_ = true;
    while (!*options.stop) std::this_thread::sleep_for(1ms);
    TrialOutcome outcome;
    outcome.interrupted = true;
    return outcome;
  };
  const SearchReport report = run(small_plan(), evaluator);
  EXPECT_EQ(report.run.ending, Ending::kInterrupted);
  EXPECT_EQ(report.run.done, 3);
  EXPECT_EQ(count("trials", "status = 'done'"), "3");
  EXPECT_EQ(count("trials", "status = 'running'"), "0");
  interrupt_ = false;
  EXPECT_EQ(run(small_plan()).run.done, kFunctions - 3);
}

TEST_F(StudyTest, TheTimeBudgetStopsTrialsInProgress) {
  SearchPlan plan = small_plan();
  plan.run.budget.time = 300ms;
  const auto start = std::chrono::steady_clock::now();
  const SearchReport report = run(plan, [](const Candidate&, const Recipe&, const TrialOptions& options) {
    while (!*options.stop) std::this_thread::sleep_for(1ms);
    TrialOutcome outcome;
    outcome.interrupted = true;
    return outcome;
  });
  EXPECT_EQ(report.run.ending, Ending::kBudget);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  EXPECT_EQ(count("trials"), "0");
}

/// A stand-in for training with a checkpoint, an epoch at a call of `stop`: it holds how many epochs are done.
struct Interruptible {
  std::atomic<int>* epochs_left;  ///< until somebody sets `interrupt`
  std::atomic<bool>* interrupt;
  std::mutex* mutex = nullptr;
  std::map<std::uint64_t, std::vector<int>>* begun = nullptr;  ///< by seed: where its calls began

  TrialOutcome operator()(const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) const {
    int done = 0;
    if (std::ifstream checkpoint(options.checkpoint); checkpoint) checkpoint >> done;
    if (begun != nullptr) {
      const std::lock_guard lock(*mutex);
      (*begun)[options.seed].push_back(done);
    }
    TrialOutcome outcome;
    outcome.begun = {done, 0};
    while (done < recipe.epochs && !*options.stop && !*interrupt) {
      ++done;
      if (--*epochs_left == 0) *interrupt = true;
    }
    Recipe part = recipe;
    part.epochs = done;
    const bool whole = done == recipe.epochs;
    if (done > 0) outcome.epochs = fake_outcome(candidate, part, options).epochs;
    outcome.interrupted = !whole;
    if (whole) outcome.score = outcome.epochs.back().validation_accuracy;
    std::filesystem::create_directories(options.checkpoint.parent_path());
    if (done > 0) std::ofstream(options.checkpoint) << done;
    return outcome;
  }
};

TEST_F(StudyTest, ATrialThatIsCutOffGoesOnWhereItWasBeforeAnythingElseBegins) {
  for (const char* const strategy : {"exhaustive", "evolution"}) {
    SearchPlan plan = small_plan();
    plan.strategy = strategy;
    plan.run.recipe_text += strategy;
    plan.run.checkpoints = directory_.path() / "checkpoints";
    plan.run.jobs = 1;
    std::atomic<int> left = 4 + 3;  // a trial, and all but the last epoch of the second
    std::mutex mutex;
    std::map<std::uint64_t, std::vector<int>> begun;
    interrupt_ = false;
    const Interruptible evaluator{&left, &interrupt_, &mutex, &begun};
    const SearchReport first = run(plan, evaluator);
    EXPECT_EQ(first.run.done, 1) << strategy;
    EXPECT_EQ(first.run.cut_off, 1) << strategy;
    EXPECT_EQ(first.run.epochs, 4 + 3) << "what a trial trained that was cut off counts too";
    const std::string of_recipe = "recipe_id = (SELECT recipe_id FROM recipes WHERE text = '" + plan.run.recipe_text + "')";
    const std::string cut_off = cell(database_, "SELECT formula FROM trials WHERE status = 'released' AND " + of_recipe);

    interrupt_ = false;
    left = 1'000;
    begun.clear();
    plan.run.budget.trials = 1;
    const SearchReport second = run(plan, evaluator);
    EXPECT_EQ(second.run.done, 1);
    EXPECT_EQ(second.run.epochs, 1) << strategy << ": its last epoch alone";
    EXPECT_EQ(begun[0], std::vector<int>{3}) << strategy;
    EXPECT_EQ(cell(database_, "SELECT status FROM trials WHERE formula = '" + cut_off + "' AND " + of_recipe), "done") << strategy;
    EXPECT_FALSE(std::filesystem::exists(plan.run.checkpoints)) << "nothing is left of it";
  }
}

TEST_F(StudyTest, BeginsWhatWillNotEndInTimeWhereItCanGoOnLater) {
  SearchPlan plan = small_plan();
  plan.run.checkpoints = directory_.path() / "checkpoints";
  plan.run.jobs = 1;
  plan.run.budget.time = 300ms;
  int calls = 0;
  const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    TrialOutcome outcome = fake_outcome(candidate, recipe, options);
    outcome.seconds = 100;  // as it says
    if (++calls == 1) return outcome;
    while (!*options.stop) std::this_thread::sleep_for(1ms);
    outcome.interrupted = true;
    outcome.epochs.resize(1);
    return outcome;
  });
  EXPECT_EQ(calls, 2) << "the time is used";
  EXPECT_EQ(report.run.done, 1);
  EXPECT_EQ(report.run.cut_off, 1);
  EXPECT_EQ(report.run.ending, Ending::kBudget);
  EXPECT_EQ(count("trials", "status = 'released'"), "1");
}

TEST_F(StudyTest, ADamagedCheckpointCostsItsTrialAloneWhatItHeld) {
  SearchPlan plan = small_plan();
  plan.run.checkpoints = directory_.path() / "checkpoints";
  std::filesystem::create_directories(plan.run.checkpoints);
  std::atomic<int> damaged{0};
  const SearchReport report = run(plan, [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    if (!std::filesystem::exists(options.checkpoint) && ++damaged % 3 == 0) std::ofstream(options.checkpoint) << "torn";
    if (std::filesystem::exists(options.checkpoint)) {
      if (read_text(options.checkpoint) != "torn") ADD_FAILURE() << "another's";
      throw CheckpointError("checkpoint " + options.checkpoint.string() + " is damaged");
    }
    return fake_outcome(candidate, recipe, options);
  });
  EXPECT_EQ(report.run.done, kFunctions);
  EXPECT_NE(log_.str().find("is damaged: "), std::string::npos) << log_.str();
  EXPECT_NE(log_.str().find(" begins again"), std::string::npos) << log_.str();
}

TEST_F(StudyTest, DoesNotBeginATrialThatWillNotEndInTimeWithoutAPlaceForCheckpoints) {
  SearchPlan plan = small_plan();
  plan.run.jobs = 1;
  plan.run.budget.time = 10s;
  const SearchReport report = run(plan, [](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
    TrialOutcome outcome = fake_outcome(candidate, recipe, options);
    outcome.seconds = 100;  // as it says
    return outcome;
  });
  EXPECT_EQ(report.run.done, 1);
  EXPECT_EQ(report.run.ending, Ending::kBudget);
  EXPECT_LT(report.run.seconds, 5);
}

TEST_F(StudyTest, AnErrorOfTheEvaluatorEndsTheRunAndLosesNothing) {
  std::atomic<int> calls{0};
  const Evaluator evaluator = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) -> TrialOutcome {
    if (++calls == 5) throw std::runtime_error("out of luck");
    return fake_outcome(candidate, recipe, options);
  };
  EXPECT_THROW(run(small_plan(), evaluator), std::runtime_error);
  EXPECT_EQ(count("trials", "status = 'running'"), "0");
  const int done = std::stoi(count("trials", "status = 'done'"));
  EXPECT_GE(done, 4);
  EXPECT_EQ(run(small_plan()).run.done, kFunctions - done);
}

TEST_F(StudyTest, TwoStudiesOnOneFileShareTheWorkAndDoNoTrialTwice) {
  std::mutex mutex;
  std::multiset<std::string> trained;
  std::latch both(2);
  SearchPlan plan = small_plan();
  plan.run.seeds = 5;
  plan.run.jobs = 1;
  std::int64_t done[2] = {};
  {
    std::vector<std::jthread> processes;
    for (std::int64_t& mine : done) {
      processes.emplace_back([&] {
        SqliteStore database(file_, Store::Access::kCreate);  // as another process has it
        std::ostringstream log;
        Progress progress(log, {});
        bool begun = false;
        const Evaluator evaluator = [&](const Candidate& candidate, const Recipe& recipe, const TrialOptions& options) {
          if (!begun) both.arrive_and_wait();  // neither does all before the other has a trial
          begun = true;
          {
            const std::lock_guard lock(mutex);
            trained.insert(std::to_string(evaluate_forward(candidate.program, 0.7, {})) + " " + std::to_string(options.seed));
          }
          std::this_thread::sleep_for(2ms);
          return fake_outcome(candidate, recipe, options);
        };
        mine = run_search(database, plan, evaluator, progress, interrupt_).run.done;
      });
    }
  }
  EXPECT_EQ(done[0] + done[1], 5 * kFunctions);
  EXPECT_GT(done[0], 0);
  EXPECT_GT(done[1], 0);
  EXPECT_EQ(trained.size(), static_cast<std::size_t>(5 * kFunctions));
  EXPECT_EQ(std::set<std::string>(trained.begin(), trained.end()).size(), trained.size());
}

TEST_F(StudyTest, ATrialLeftByAnotherIsTakenUpWhenItsLeaseRunsOut) {
  SearchPlan plan = small_plan();
  {
    // The claim of a process that does not answer any more: its database object lives, but nobody renews.
    StudyRecord record;
    record.kind = "search";
    const Id study = database_.study(record);
    auto considered = consider(parse("x + x"));
    const auto& candidate = std::get<Candidate>(considered);
    Claim claim;
    const Id id = database_.candidate({candidate.fingerprint, candidate.formula, "", 0});
    const Id recipe = database_.recipe(plan.run.recipe.name, plan.run.recipe_text);
    ASSERT_EQ(database_.claim(study, id, recipe, 0, 1s, &claim), ClaimState::kClaimed);
  }
  SqliteStore other(file_, Store::Access::kCreate);
  const SearchReport report = run_search(other, plan, fake_outcome, progress_, interrupt_);
  EXPECT_EQ(report.run.done, kFunctions);
  EXPECT_NE(log_.str().find("waiting for 1 trial"), std::string::npos) << log_.str();
  EXPECT_EQ(count("trials", "attempts = 2"), "1");
}

TEST_F(StudyTest, DrawsFromTheWholeSpaceAtRandom) {
  SearchPlan plan = small_plan();
  plan.space = Space("core1");
  plan.strategy = "random";
  plan.run.budget.trials = 500;
  const SearchReport report = run(plan);
  EXPECT_EQ(report.run.done, 500);
  EXPECT_GT(report.rejected, 0);
}

}  // namespace
}  // namespace actsearch::testing
