// Ask and tell: what is handed out, and what the answers are.

#include "search/run/ask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "db/sqlite/connection.h"
#include "grammar/hash.h"
#include "search/run/tell.h"
#include "tests/search/run/small_ask.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;

AskPlan racing_ask(double eta = 2) {
  AskPlan plan = small_ask();
  plan.race = AskPlan::Race{{1, 3}, {eta, PromoteBy::kLoss}};
  return plan;
}

class AskTell : public RunsOnDatabase {
 protected:
  std::vector<AskedTrial> ask(const AskPlan& plan, int count, std::chrono::seconds lease = kLease) {
    return Asker(database_, plan).ask(count, lease);
  }
  AskedTrial asked(const AskPlan& plan, std::chrono::seconds lease = kLease) {
    auto trials = ask(plan, 1, lease);
    EXPECT_EQ(trials.size(), 1u);
    return trials.at(0);
  }
  static Claim ticket(const AskedTrial& trial) { return trial.handed_out.ticket; }
  Reply score(const Claim& ticket, double value) { return teller_.result(ticket, {.score = value, .failure = std::nullopt}); }
  Reply failure(const Claim& ticket, const std::string& why) { return teller_.result(ticket, {.score = std::nullopt, .failure = why}); }
  Reply epoch(const Claim& ticket, int number, double loss) { return teller_.epoch(ticket, {number, loss, 0.5}); }
  std::string refused(const std::function<void()>& tell) {
    try {
      tell();
    } catch (const TellError& error) {
      return error.what();
    }
    return "";
  }
  std::string invalid(const std::function<void()>& call) {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  }

  Teller teller_{database_};
};

TEST_F(AskTell, TheSameFlagsAreTheSameStudyAndItGoesOn) {
  std::set<std::string> formulas;
  Id study = 0;
  for (int call = 0; call < 4; ++call) {
    Asker asker(database_, small_ask());
    if (call == 0) study = asker.study();
    EXPECT_EQ(asker.study(), study);
    const auto trials = asker.ask(3, kLease);
    ASSERT_EQ(trials.size(), 3u);
    for (const AskedTrial& trial : trials) {
      EXPECT_TRUE(formulas.insert(trial.candidate.formula).second) << trial.candidate.formula;
      EXPECT_EQ(trial.handed_out.from_epoch, 0);
      EXPECT_EQ(trial.to_epoch, 10);
      if (call > 1) {
        EXPECT_EQ(score(ticket(trial), 0.5).answer, Answer::kStored);
      }
    }
  }
  EXPECT_EQ(formulas.size(), static_cast<std::size_t>(kFunctions));
  EXPECT_TRUE(ask(small_ask(), 3).empty()) << "all are told or out";
  AskPlan other = small_ask();
  other.conditions.text += ", wider";
  EXPECT_NE(Asker(database_, other).study(), study);
  EXPECT_EQ(ask(other, 100).size(), static_cast<std::size_t>(kFunctions)) << "these have no trials yet";
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM studies WHERE kind = 'search'"), "2");
}

TEST_F(AskTell, TwoWhoAskNeverGetTheSameTrial) {
  Asker one(database_, small_ask()), two(database_, small_ask());
  std::set<Id> trials;
  for (Asker* asker : {&one, &two, &one, &two}) {
    for (const AskedTrial& trial : asker->ask(2, kLease)) EXPECT_TRUE(trials.insert(ticket(trial).trial).second);
  }
  EXPECT_EQ(trials.size(), 8u);
}

TEST_F(AskTell, StrategiesKnowWhatWasToldExactlyAsASearchDoes) {
  for (const char* strategy : {"evolution", "ppo"}) {
    AskPlan plan = small_ask();
    plan.space = Space("core1");
    plan.strategy = strategy;
    Asker kept(database_, plan);
    for (int i = 0; i < 70; ++i) {  // more than a population
      const auto trial = kept.ask(1, kLease).at(0);
      if (i % 7 == 3)
        failure(ticket(trial), "diverged");
      else
        score(ticket(trial), static_cast<double>(mixed(static_cast<std::uint64_t>(i)) % 1000) / 1000);
    }
    // What a resumed search would propose next.
    SearchPlan search = small_plan();
    search.space = plan.space;
    search.strategy = strategy;
    search.run.recipe.name = kToldRecipe;
    search.run.recipe_text = to_text(plan.conditions);
    const std::atomic<bool> interrupt{false};
    StudyCandidates expected(database_, kept.study(), search, interrupt);
    for (const AskedTrial& trial : kept.ask(3, kLease)) {
      const auto proposed = expected.next();
      ASSERT_TRUE(proposed);
      EXPECT_EQ(trial.candidate.fingerprint, proposed->fingerprint) << strategy;
    }
  }
}

TEST_F(AskTell, EveryFunctionGetsAllItsSeedsThoughEachIsAskedForAlone) {
  for (const char* strategy : {"exhaustive", "evolution"}) {
    AskPlan plan = small_ask();
    plan.strategy = strategy;
    plan.conditions.text = strategy;
    plan.seed = 5;
    plan.seeds = 3;
    std::map<std::string, std::set<std::uint64_t>> seeds;
    for (int i = 0; i < 9; ++i) {
      const AskedTrial trial = asked(plan);
      EXPECT_TRUE(seeds[trial.candidate.formula].insert(trial.seed).second);
      score(ticket(trial), 0.5);
    }
    EXPECT_EQ(seeds.size(), 3u) << strategy;
    for (const auto& [formula, of_it] : seeds) EXPECT_EQ(of_it, (std::set<std::uint64_t>{5, 6, 7})) << strategy << " " << formula;
  }
}

TEST_F(AskTell, BaselinesAndGivenFormulasTakeTurnsWithProposals) {
  AskPlan plan = small_ask();
  plan.baselines = true;
  plan.given = candidates_of({"x * tanh(x)"});
  std::vector<std::string> labels;
  for (const AskedTrial& trial : ask(plan, 7))
    labels.push_back(trial.candidate.name.empty() ? trial.candidate.formula : trial.candidate.name);
  EXPECT_EQ(labels.at(0), "x * tanh(x)");
  EXPECT_EQ(labels.at(2), "relu");
  EXPECT_EQ(labels.at(4), "swish");
  EXPECT_EQ(labels.at(6), "swish1");
}

TEST_F(AskTell, ConditionsAreOneLineWhateverTheirWords) {
  for (const std::string& words : {std::string("plain"), std::string("a \"quoted\" name"), std::string("two\nlines\r\n\ttab \\ back"),
                                   std::string("epochs=7 metric=loss conditions=\"x\""), std::string("größer ✓"), std::string("a\0b", 3)}) {
    const ToldConditions conditions{words, 12};
    const std::string text = to_text(conditions);
    EXPECT_EQ(text.rfind("told epochs=12 metric=score conditions=\"", 0), 0u) << text;
    for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
    const auto read = read_told(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->text, words);
    EXPECT_EQ(read->epochs, 12);
    AskPlan plan = small_ask();
    plan.conditions = conditions;
    score(ticket(asked(plan)), 0.5);
    const auto ranked = database_.ranked_recipe(text);
    ASSERT_TRUE(ranked);
    EXPECT_EQ(ranked->epochs, 12);
    EXPECT_EQ(ranked->done, 1);
  }
  EXPECT_TRUE(read_told(to_text({"not \xff UTF-8", 1}))) << "what is no text becomes one";
  EXPECT_FALSE(read_told(small_plan().run.recipe_text));
  EXPECT_FALSE(read_told("told epochs=3 batch=128"));
  EXPECT_FALSE(read_told("told epochs=3 metric=score conditions=\"open"));
  EXPECT_NE(invalid([] { to_text({" \n", 1}); }).find("empty"), std::string::npos);
  EXPECT_NE(invalid([] { to_text({std::string(kLongestConditions + 1, 'a'), 1}); }).find("at most 1000"), std::string::npos);
  EXPECT_NE(invalid([] { to_text({"a", 0}); }), "");
}

TEST_F(AskTell, TheSameWordsWithOtherEpochsAreNoticed) {
  EXPECT_EQ(note_on_epochs(database_, {"words", 10}), "") << "an empty file";
  AskPlan plan = small_ask();
  plan.conditions = {"words", 10};
  asked(plan);
  EXPECT_EQ(note_on_epochs(database_, {"words", 10}), "");
  EXPECT_EQ(note_on_epochs(database_, {"other words", 1}), "");
  EXPECT_EQ(note_on_epochs(database_, {"words", 1}),
            "note: the file has these conditions with --epochs 10, and with --epochs 1 they are ranked separately");
  plan.conditions.epochs = 1;
  asked(plan);
  EXPECT_EQ(note_on_epochs(database_, {"words", 1}), "") << "who has begun there knows";
}

TEST_F(AskTell, ConditionsSayWhatAScoreIs) {
  const double infinity = std::numeric_limits<double>::infinity();
  const ToldConditions perplexity{
      .text = "words", .epochs = 10, .metric = "perplexity", .minimize = true, .lowest = 0, .highest = infinity};
  const ToldConditions balance{.text = "words", .epochs = 10, .metric = "score", .minimize = false, .lowest = -1, .highest = 1};
  const ToldConditions named{.text = "words", .epochs = 10, .metric = "mAP", .minimize = false, .lowest = 0, .highest = 1};
  EXPECT_EQ(to_text(perplexity), R"(told epochs=10 metric=perplexity goal=minimize range=0,inf conditions="words")");
  EXPECT_EQ(to_text(balance), R"(told epochs=10 metric=score goal=maximize range=-1,1 conditions="words")");
  EXPECT_EQ(to_text(named), R"(told epochs=10 metric=mAP conditions="words")");
  for (const ToldConditions& one : {perplexity, balance, named}) EXPECT_EQ(read_told(to_text(one)), one) << to_text(one);
  EXPECT_EQ(score_scale(to_text(ToldConditions{"words", 10})), ScoreScale{});
  EXPECT_EQ(score_scale(to_text(perplexity)), (ScoreScale{.name = "perplexity", .share = false, .negated = true}));
  EXPECT_EQ(score_scale(to_text(balance)), (ScoreScale{.name = "score", .share = false, .negated = false}));
  EXPECT_EQ(score_scale(to_text(named)), (ScoreScale{.name = "mAP", .share = true, .negated = false}));

  for (const char* text :
       {R"(told epochs=1 metric=a goal=least range=0,1 conditions="b")", R"(told epochs=1 metric=a goal=minimize conditions="b")",
        R"(told epochs=1 metric=a goal=minimize range=0 conditions="b")", R"(told epochs=1 metric=a range=0,1 conditions="b")"})
    EXPECT_FALSE(read_told(text)) << text;
  for (const std::string& metric : {std::string(), std::string("two words"), std::string(kLongestMetric + 1, 'a'), std::string("größe")}) {
    ToldConditions wrong = perplexity;
    wrong.metric = metric;
    EXPECT_NE(invalid([&] { to_text(wrong); }).find("one word"), std::string::npos) << metric;
  }
  for (const auto& [lowest, highest] : {std::pair(1.0, 1.0), {1.0, 0.0}, {std::nan(""), 1.0}}) {
    ToldConditions wrong = perplexity;
    wrong.lowest = lowest;
    wrong.highest = highest;
    EXPECT_NE(invalid([&] { to_text(wrong); }).find("range"), std::string::npos);
  }
}

TEST_F(AskTell, AScoreMayBeOfAnyScaleOfWhichTheLowerIsTheBetter) {
  AskPlan plan = small_ask();
  plan.conditions = {.text = "a language model",
                     .epochs = 10,
                     .metric = "perplexity",
                     .minimize = true,
                     .lowest = 1,
                     .highest = std::numeric_limits<double>::infinity()};
  const auto out = ask(plan, 3);
  const double nan = std::nan("");
  for (const double value : {0.9, -2.0, nan, std::numeric_limits<double>::infinity()}) {
    const std::string message = invalid([&] { score(ticket(out[0]), value); });
    EXPECT_NE(message.find("the perplexity is a number from 1 to inf, lower is better"), std::string::npos) << message;
    EXPECT_NE(invalid([&] { teller_.epoch(ticket(out[0]), {1, {}, value}); }).find("1 to inf"), std::string::npos);
  }
  EXPECT_EQ(teller_.epoch(ticket(out[0]), {1, 2.5, 40.0}).answer, Answer::kGoOn);
  EXPECT_EQ(score(ticket(out[0]), 31.5).answer, Answer::kStored);
  EXPECT_EQ(score(ticket(out[0]), 31.5).answer, Answer::kAlreadyTold);
  EXPECT_EQ(refused([&] { score(ticket(out[0]), 30); }), "trial 1 has the score 31.5 already; the score 30 is not stored");
  EXPECT_EQ(score(ticket(out[1]), 20.25).answer, Answer::kStored);
  EXPECT_EQ(score(ticket(out[2]), 50).answer, Answer::kStored);
  const auto rows = database_.leaderboard({.recipe = to_text(plan.conditions), .top = 10, .sort = LeaderboardQuery::Sort::kAccuracy});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].formula, out[1].candidate.formula) << "the lowest is the best";
  EXPECT_EQ(rows[2].formula, out[2].candidate.formula);
  EXPECT_EQ(cell(database_, "SELECT validation_accuracy FROM epochs"), "-40.0") << "on the scale of the score";
}

TEST_F(AskTell, TheSameWordsWithAnotherMetricAreNoticed) {
  AskPlan plan = small_ask();
  plan.conditions = {"words", 10};
  asked(plan);
  plan.conditions.metric = "loss";
  plan.conditions.minimize = true;
  EXPECT_EQ(note_on_epochs(database_, plan.conditions),
            "note: the file has these conditions with --metric score, and with --metric loss --minimize --score-range 0,1 they are ranked "
            "separately");
}

TEST_F(AskTell, TicketsAreWrittenAsPeopleReadThem) {
  EXPECT_EQ(ticket_text({17, 1}), "17");
  EXPECT_EQ(ticket_text({17, 3}), "17.3");
  for (const Claim& ticket : {Claim{17, 1}, Claim{17, 12}}) EXPECT_EQ(read_ticket(ticket_text(ticket)), ticket);
  for (const char* wrong : {"", "x", "17.", ".2", "17.0", "0", "-1", "17.2.3", "1e3", "17 ", "99999999999999999999"}) {
    EXPECT_NE(invalid([&] { read_ticket(wrong); }).find("17.2"), std::string::npos) << wrong;
  }
}

TEST_F(AskTell, PlansThatCannotBeAreRefusedAndLeaveNothing) {
  const auto refuses = [&](const std::function<void(AskPlan&)>& spoil, const std::string& part) {
    AskPlan plan = racing_ask();
    spoil(plan);
    EXPECT_NE(invalid([&] { Asker(database_, plan); }).find(part), std::string::npos) << part;
    EXPECT_NE(invalid([&] { require_valid(plan); }).find(part), std::string::npos) << part;
  };
  refuses([](AskPlan& plan) { plan.race->rungs = {3, 1}; }, "ascend");
  refuses([](AskPlan& plan) { plan.race->rungs = {0, 1}; }, "ascend");
  refuses([](AskPlan& plan) { plan.race->rungs = {}; }, "at least one rung");
  refuses([](AskPlan& plan) { plan.race->rungs = {1, 10}; }, "cannot pause after 10");
  refuses([](AskPlan& plan) { plan.race->choice.eta = 1; }, "above 1");
  refuses([](AskPlan& plan) { plan.strategy = "evolutoin"; }, "did you mean 'evolution'");
  refuses([](AskPlan& plan) { plan.conditions.text = ""; }, "empty");
  refuses([](AskPlan& plan) { plan.seeds = 0; }, "seed");
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM studies"), "0");
}

TEST_F(AskTell, AScoreIsToldOnceAndTheSameAgainIsNoMistake) {
  const auto trials = ask(small_ask(), 2);
  const Claim scored = ticket(trials[0]), failed = ticket(trials[1]);
  epoch(scored, 2, 0.71);
  EXPECT_EQ(score(scored, 0.913).answer, Answer::kStored);
  EXPECT_EQ(score(scored, 0.913).answer, Answer::kAlreadyTold);
  const std::string other = refused([&] { score(scored, 0.914); });
  EXPECT_NE(other.find("0.913"), std::string::npos) << other;
  EXPECT_NE(other.find("0.914"), std::string::npos) << other;
  EXPECT_NE(refused([&] { failure(scored, "diverged"); }).find("failed (diverged) is not stored"), std::string::npos);

  EXPECT_EQ(failure(failed, "out of memory").answer, Answer::kStored);
  EXPECT_EQ(failure(failed, "out of memory").answer, Answer::kAlreadyTold);
  EXPECT_NE(refused([&] { failure(failed, "other"); }).find("failed (out of memory) already"), std::string::npos);
  EXPECT_NE(refused([&] { score(failed, 0.5); }).find("failed (out of memory) already; the score 0.5"), std::string::npos);
  EXPECT_EQ(epoch(failed, 1, 0.5).answer, Answer::kStop);
  EXPECT_EQ(teller_.renew(scored, {}).answer, Answer::kStop);
  EXPECT_EQ(teller_.give_back(scored).answer, Answer::kStop);

  EXPECT_EQ(cell(database_, "SELECT accuracy || ' ' || train_loss || ' ' || epochs FROM trials WHERE status = 'done'"), "0.913 0.71 1");
  EXPECT_EQ(cell(database_, "SELECT seconds FROM trials WHERE status = 'done'"), "NULL") << "nobody measured it";
  EXPECT_EQ(cell(database_, "SELECT train_accuracy FROM epochs"), "NULL");
  EXPECT_EQ(cell(database_, "SELECT reason || ': ' || detail FROM failures"), "told failed: out of memory");
}

TEST_F(AskTell, AFailuresTextIsKeptUpToALength) {
  const Claim failed = ticket(asked(small_ask()));
  std::string text;
  for (int i = 0; i < 1'000; ++i) text += "ü";
  EXPECT_EQ(failure(failed, text).answer, Answer::kStored);
  EXPECT_EQ(cell(database_, "SELECT length(detail) FROM failures"), std::to_string(kLongestFailure));
  EXPECT_EQ(failure(failed, text).answer, Answer::kAlreadyTold);
}

TEST_F(AskTell, ValuesThatCannotBeChangeNothing) {
  const Claim out = ticket(asked(small_ask()));
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const double value : {-0.1, 1.1, nan, infinity, -infinity})
    EXPECT_NE(invalid([&] { score(out, value); }).find("0 to 1"), std::string::npos);
  EXPECT_NE(invalid([&] { teller_.result(out, {}); }), "");
  EXPECT_NE(invalid([&] { teller_.result(out, {.score = 0.5, .failure = "both"}); }), "");
  for (const double loss : {nan, infinity}) EXPECT_NE(invalid([&] { epoch(out, 1, loss); }).find("finite"), std::string::npos);
  EXPECT_NE(invalid([&] { teller_.epoch(out, {1, {}, 2.0}); }).find("0 to 1"), std::string::npos);
  EXPECT_NE(invalid([&] { teller_.epoch(out, {1, {}, {}}); }), "");
  EXPECT_NE(invalid([&] { epoch(out, 0, 0.5); }), "");
  EXPECT_NE(invalid([&] { epoch(out, 11, 0.5); }).find("10 epochs"), std::string::npos);
  EXPECT_EQ(cell(database_, "SELECT status || (SELECT count(*) FROM epochs) FROM trials"), "running0");
  EXPECT_EQ(score(out, 1).answer, Answer::kStored);
}

TEST_F(AskTell, OnlyTrialsThatWereAskedForCanBeTold) {
  run_search(database_, small_plan(), fake_outcome, progress_, interrupt_);
  EXPECT_NE(refused([&] { score({1, 1}, 0.5); }).find("the program trains it itself"), std::string::npos);
  EXPECT_NE(refused([&] { epoch({1, 1}, 1, 0.5); }).find("vgg-s"), std::string::npos);
  EXPECT_NE(refused([&] { teller_.renew({1000, 1}, {}); }).find("no trial 1000"), std::string::npos);
  const Claim out = ticket(asked(small_ask()));
  EXPECT_NE(refused([&] { score({out.trial, 2}, 0.5); }).find("there is no " + std::to_string(out.trial) + ".2"), std::string::npos);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE accuracy = 0.5"), "0");
}

TEST_F(AskTell, AnExpiredTrialIsHandedOutAgainAndItsFirstTellerIsToldSo) {
  const AskedTrial first = asked(small_ask(), 0s);
  epoch(ticket(first), 2, 0.5);
  const AskedTrial second = asked(small_ask());
  EXPECT_EQ(ticket(second), (Claim{ticket(first).trial, 2}));
  EXPECT_EQ(second.candidate.formula, first.candidate.formula);
  EXPECT_EQ(second.handed_out.from_epoch, 0);
  const std::string name = ticket_text(ticket(second));
  for (const Reply& reply : {score(ticket(first), 0.9), failure(ticket(first), "late"), epoch(ticket(first), 3, 0.5),
                             teller_.renew(ticket(first), {}), teller_.give_back(ticket(first))}) {
    EXPECT_EQ(reply.answer, Answer::kStop);
    EXPECT_NE(reply.reason.find("handed out again at 2"), std::string::npos) << reply.reason;
    EXPECT_NE(reply.reason.find("as " + name), std::string::npos) << reply.reason;
  }
  EXPECT_EQ(score(ticket(second), 0.8).answer, Answer::kStored);
  EXPECT_EQ(score(ticket(first), 0.9).answer, Answer::kStop);
  EXPECT_EQ(cell(database_, "SELECT accuracy FROM trials"), "0.8");
}

TEST_F(AskTell, ALateResultIsKeptWhereNobodyAskedSince) {
  const Claim late = ticket(asked(small_ask(), 0s));
  EXPECT_EQ(epoch(late, 1, 0.5).answer, Answer::kGoOn);
  const Reply reply = score(late, 0.9);
  EXPECT_EQ(reply.answer, Answer::kStored);
  EXPECT_NE(reply.reason.find("the lease had ended at 2"), std::string::npos) << reply.reason;

  const Claim back = ticket(asked(small_ask()));
  EXPECT_EQ(teller_.give_back(back).answer, Answer::kGivenBack);
  EXPECT_EQ(epoch(back, 1, 0.5).answer, Answer::kStop);
  EXPECT_EQ(teller_.renew(back, {}).answer, Answer::kStop);
  EXPECT_EQ(score(back, 0.8).answer, Answer::kStored) << "nothing is lost where it can be kept";
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM trials WHERE status = 'done'"), "2");
}

TEST_F(AskTell, ATrialThatIsGivenBackIsTheNextToBeHandedOut) {
  const auto trials = ask(small_ask(), 3);
  epoch(ticket(trials[1]), 4, 0.5);
  EXPECT_EQ(teller_.give_back(ticket(trials[1])).answer, Answer::kGivenBack);
  const AskedTrial again = asked(small_ask());
  EXPECT_EQ(ticket(again), (Claim{ticket(trials[1]).trial, 2}));
  EXPECT_EQ(again.handed_out.from_epoch, 4);
}

TEST_F(AskTell, ARenewedLeaseHolds) {
  const Claim out = ticket(asked(small_ask(), 0s));
  const Reply renewed = teller_.renew(out, kLease);
  EXPECT_EQ(renewed.answer, Answer::kGoOn);
  EXPECT_FALSE(renewed.lease_until.empty());
  EXPECT_NE(ticket(asked(small_ask())).trial, out.trial);
}

TEST_F(AskTell, ARaceAnswersByTheTrainingLossAtItsRungs) {
  const auto trials = ask(racing_ask(), 5);
  const auto at = [&](std::size_t i) { return ticket(trials[i]); };
  EXPECT_EQ(epoch(at(0), 1, 0.5).answer, Answer::kPause) << "alone it is not among the better half";
  EXPECT_EQ(epoch(at(1), 1, 0.4).answer, Answer::kGoOn) << "the first of two";
  EXPECT_EQ(epoch(at(2), 1, 0.9).answer, Answer::kPause);
  EXPECT_EQ(epoch(at(3), 1, 0.45).answer, Answer::kGoOn) << "the second of four";
  EXPECT_EQ(epoch(at(1), 2, 0.35).answer, Answer::kGoOn) << "no rung";
  EXPECT_EQ(epoch(at(1), 3, 0.3).answer, Answer::kPause) << "alone at the second rung";
  const Reply again = epoch(at(0), 2, 0.4);
  EXPECT_EQ(again.answer, Answer::kPause) << "who trains on in spite of it is told again";
  EXPECT_NE(again.reason.find("paused after 1 epoch;"), std::string::npos) << again.reason;
  EXPECT_EQ(epoch(at(1), 4, 0.3).answer, Answer::kPause);
  EXPECT_EQ(teller_.renew(at(0), {}).answer, Answer::kPause);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM epochs"), "6") << "what was told after a pause is not stored";
  EXPECT_NE(invalid([&] { teller_.epoch(at(4), {1, {}, 0.5}); }).find("training loss"), std::string::npos);
  EXPECT_EQ(teller_.epoch(at(3), {2, {}, 0.5}).answer, Answer::kGoOn) << "between the rungs nothing is judged";
  EXPECT_EQ(score(at(0), 0.7).answer, Answer::kStored) << "a result is a result";
}

TEST_F(AskTell, APausedTrialIsHandedOutAgainWhenItIsPromoted) {
  const auto trials = ask(racing_ask(), 4);
  const auto at = [&](std::size_t i) { return ticket(trials[i]); };
  EXPECT_EQ(epoch(at(0), 1, 0.5).answer, Answer::kPause);
  EXPECT_EQ(epoch(at(1), 1, 0.6).answer, Answer::kPause);
  const AskedTrial promoted = asked(racing_ask());
  EXPECT_EQ(ticket(promoted), (Claim{at(0).trial, 2})) << "now the first of two";
  EXPECT_EQ(promoted.handed_out.from_epoch, 1);
  EXPECT_EQ(promoted.to_epoch, 10);
  EXPECT_EQ(promoted.candidate.formula, trials[0].candidate.formula);
  EXPECT_EQ(epoch(at(0), 2, 0.4).answer, Answer::kStop) << "another has it now";
  EXPECT_EQ(epoch(ticket(promoted), 2, 0.4).answer, Answer::kGoOn);
  EXPECT_EQ(epoch(ticket(promoted), 3, 0.4).answer, Answer::kPause);
  const AskedTrial fresh = asked(racing_ask());
  EXPECT_EQ(fresh.handed_out.from_epoch, 0) << "nobody waits who may go on";
  EXPECT_EQ(ticket(fresh).attempt, 1);

  // In a race too a lost trial begins anew, and what it told before does not judge it.
  const AskedTrial lost = asked(racing_ask(), 0s);
  EXPECT_EQ(epoch(ticket(lost), 1, 0.01).answer, Answer::kGoOn);
  EXPECT_EQ(epoch(ticket(lost), 2, 0.01).answer, Answer::kGoOn);
  const AskedTrial anew = asked(racing_ask());
  EXPECT_EQ(ticket(anew), (Claim{ticket(lost).trial, 2}));
  EXPECT_EQ(anew.handed_out.from_epoch, 0);
  EXPECT_EQ(epoch(ticket(anew), 1, 9).answer, Answer::kPause);
}

TEST_F(AskTell, ARaceThatPredictsAnswersByTheCurvesOfThoseThatHaveEnded) {
  for (const PromoteBy promote_by : {PromoteBy::kLoss, PromoteBy::kPrediction}) {
    AskPlan plan = racing_ask(1.5);
    plan.conditions.text += promote_by == PromoteBy::kLoss ? ", by loss" : ", by prediction";
    plan.race->rungs = {1};
    plan.race->choice.promote_by = promote_by;
    plan.seeds = 4;
    std::vector<Claim> sums, products;
    for (const AskedTrial& trial : ask(plan, 48)) {
      (trial.candidate.formula.find('*') == std::string::npos ? sums : products).push_back(ticket(trial));
    }
    ASSERT_EQ(products.size(), 24u);
    // Each comes to the rung with a higher loss than all before, so it waits. Then 20 end: the products are good.
    for (std::size_t i = 0; i < 16; ++i) {
      const double loss = 1 + 0.01 * static_cast<double>(i);
      EXPECT_EQ(epoch(products[i], 1, loss).answer, Answer::kPause);
      EXPECT_EQ(epoch(sums[i], 1, loss + 0.005).answer, Answer::kPause);
    }
    for (std::size_t i = 0; i < 16; ++i) score(products[i], 0.8);
    for (std::size_t i = 0; i < 4; ++i) score(sums[i], 0.3);
    EXPECT_EQ(epoch(products[16], 1, 5).answer, promote_by == PromoteBy::kLoss ? Answer::kPause : Answer::kGoOn)
        << "of the highest loss, and of the curve that ends well";
  }
}

TEST_F(AskTell, ARaceThatPredictsIsNotToldByAnotherVersionOfTheModel) {
  AskPlan plan = racing_ask();
  plan.race->choice.promote_by = PromoteBy::kPrediction;
  const Claim trial = ticket(asked(plan));
  sqlite::Connection(file_, sqlite::Connection::Mode::kCreate, 1s)
      .execute("UPDATE study SET conditions = replace(conditions, 'ends 1', 'ends 0')");
  EXPECT_NE(invalid([&] { epoch(trial, 1, 0.5); }).find("'curve features 1, ends 0'"), std::string::npos);
  EXPECT_EQ(cell(database_, "SELECT count(*) FROM epochs"), "0") << "nothing is stored";
  EXPECT_EQ(epoch(trial, 2, 0.5).answer, Answer::kGoOn) << "where nothing is judged the model does not matter";
}

TEST_F(AskTell, ARaceGoesOnAsItBeganWhereNobodyHasChosen) {
  AskPlan plan = racing_ask();
  plan.race->choice.promote_by = PromoteBy::kLoss;
  const Id study = Asker(database_, plan).study();
  plan.race->choice.promote_by = std::nullopt;
  EXPECT_EQ(Asker(database_, plan).study(), study);
  plan.race->choice.promote_by = PromoteBy::kPrediction;
  EXPECT_NE(Asker(database_, plan).study(), study);
}

TEST_F(AskTell, InARaceWithBaselinesTheReferencesGoOnWhateverTheirLoss) {
  AskPlan plan = racing_ask();
  plan.baselines = true;
  const auto trials = ask(plan, 2);
  ASSERT_EQ(trials[0].candidate.name, "relu");
  EXPECT_EQ(epoch(ticket(trials[1]), 1, 0.1).answer, Answer::kPause);
  EXPECT_EQ(epoch(ticket(trials[0]), 1, 9).answer, Answer::kGoOn);
  EXPECT_EQ(epoch(ticket(trials[0]), 3, 9).answer, Answer::kGoOn);
}

TEST_F(AskTell, ResultsFromElsewhereAreTakenIn) {
  const AskPlan plan = small_ask();
  const Teller::Elsewhere trial{
      .conditions = plan.conditions, .candidate = candidate_of("x * tanh(x)"), .seed = 3, .commit = "abc", .machine = ""};
  const auto elsewhere = [&](double value) { return teller_.elsewhere(trial, {.score = value, .failure = std::nullopt}).answer; };
  EXPECT_EQ(elsewhere(0.91), Answer::kStored);
  EXPECT_EQ(elsewhere(0.91), Answer::kAlreadyTold);
  EXPECT_NE(refused([&] { elsewhere(0.92); }).find("0.91 already; the score 0.92"), std::string::npos);
  EXPECT_NE(invalid([&] { elsewhere(1.5); }), "");
  EXPECT_EQ(cell(database_, "SELECT kind FROM studies"), "told");

  // It is the trial of that seed for whoever asks, and it ranks with what was asked for.
  AskPlan seeds = plan;
  seeds.seed = 3;
  EXPECT_EQ(ask(seeds, 100).size(), kFunctions - 1u);
  for (const AskedTrial& other : ask(plan, 100)) score(ticket(other), 0.5);
  EXPECT_EQ(database_.leaderboard({.recipe = to_text(plan.conditions)}).size(), static_cast<std::size_t>(kFunctions));
  EXPECT_EQ(cell(database_, "SELECT n FROM leaderboard WHERE formula = 'x * tanh(x)'"), "2");

  // One that is out is its holder's.
  AskPlan out = plan;
  out.seed = 4;
  const AskedTrial held = asked(out);
  const Teller::Elsewhere same{.conditions = plan.conditions, .candidate = held.candidate, .seed = 4, .commit = "", .machine = ""};
  EXPECT_NE(
      refused([&] { teller_.elsewhere(same, {.score = 0.5, .failure = std::nullopt}); }).find("tell --trial " + ticket_text(ticket(held))),
      std::string::npos);
}

}  // namespace
}  // namespace actsearch::testing
