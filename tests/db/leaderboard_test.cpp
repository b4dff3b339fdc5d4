#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class Leaderboard : public StoreTest {};
ACTSEARCH_ON_EVERY_STORE(Leaderboard);
using Sort = LeaderboardQuery::Sort;

std::vector<std::string> formulas(const std::vector<LeaderboardRow>& rows) {
  std::vector<std::string> result;
  for (const auto& row : rows) result.push_back(row.formula);
  return result;
}

TEST(StudentT, AgreesWithTheTables) {
  const std::vector<std::pair<int, double>> table = {{1, 12.7062047362}, {2, 4.3026527297},  {3, 3.1824463053},  {4, 2.7764451052},
                                                     {5, 2.5705818356},  {9, 2.2621571628},  {10, 2.2281388520}, {29, 2.0452296421},
                                                     {30, 2.0422724563}, {100, 1.9839715185}};
  for (const auto& [degrees, t] : table) EXPECT_NEAR(student_t_95(degrees), t, 1e-8) << degrees << " degrees of freedom";
}

/// Boost.Math's quantiles differ from ours in the last digits, and files hold ours: so it is the reference here, and not what is called.
TEST(StudentT, AgreesWithBoostMath) {
  for (int degrees = 1; degrees < 3'000; ++degrees) {
    const boost::math::students_t distribution(degrees);
    const double t = boost::math::quantile(boost::math::complement(distribution, 0.025));
    EXPECT_NEAR(student_t_95(degrees), t, 1e-12 * t) << degrees << " degrees of freedom";
  }
  for (int degrees = 1; degrees < 200; ++degrees) {
    const boost::math::students_t distribution(degrees);
    for (double t = 0.01; t < 40; t *= 1.5) {
      const double probability = 1 - 2 * boost::math::cdf(boost::math::complement(distribution, t));
      EXPECT_NEAR(student_t_probability(t, degrees), probability, 1e-14) << t << ", " << degrees << " degrees of freedom";
    }
  }
}

TEST(StudentT, OfManyDegreesGoesOnWhereThatOfFewerEnds) {
  const double below = student_t_95(100'000), above = student_t_95(100'001), far = student_t_95(std::numeric_limits<int>::max());
  EXPECT_NEAR(below, 1.9599877, 1e-7);
  EXPECT_NEAR(below - above, 2.372e-10, 1e-12) << "as it falls by 2.372 / degrees";
  EXPECT_NEAR(far, 1.959963984540054, 1.2e-9);
}

TEST_P(Leaderboard, TheStudiesOfACandidateAreThoseThatHaveItsResults) {
  Store& db = open();
  Search first(db);
  first.finished("sin(x)", 0, accuracy(0.7));
  first.finished("cos(x)", 0, accuracy(0.6));
  Search other(db, "vgg-m", "vgg-m fp32");
  other.finished("sin(x)", 0, accuracy(0.8));
  const Id second = db.study(study_record(2));
  Claim claim;
  EXPECT_EQ(db.claim(second, db.candidate(candidate_record("sin(x)")), first.recipe, 0, kLease, &claim), ClaimState::kDone);
  EXPECT_EQ(db.claim(second, db.candidate(candidate_record("tanh(x)")), first.recipe, 0, kLease, &claim), ClaimState::kClaimed);
  const auto of = [&](const std::string& formula, const std::optional<std::string>& recipe) {
    std::vector<Id> studies;
    for (const CandidateStudy& study : db.studies_with("fingerprint of " + formula, recipe)) {
      EXPECT_EQ(study.record.commit, "abc123");
      studies.push_back(study.study);
    }
    return studies;
  };
  EXPECT_EQ(of("sin(x)", std::nullopt), (std::vector<Id>{first.study, second}));
  EXPECT_EQ(of("cos(x)", "vgg-s"), std::vector<Id>{first.study});
  EXPECT_EQ(of("sin(x)", "vgg-m"), std::vector<Id>{first.study});
  EXPECT_EQ(of("tanh(x)", "vgg-s"), std::vector<Id>{}) << "it has no result yet";
  EXPECT_EQ(of("sin(x)", "vgg-l"), std::vector<Id>{});
}

TEST_P(Leaderboard, ComparesRowsWithAReferenceWithoutWhatTheirSeedsShare) {
  Store& db = open();
  Search search(db);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const double noise = 0.05 * static_cast<double>(seed % 3);  // of the seed, and so in both
    search.finished("max(x, 0)", seed, accuracy(0.70 + noise));
    search.finished("x * sigmoid(x)", seed, accuracy(0.71 + noise + 0.001 * static_cast<double>(seed)));
  }
  search.finished("x * sigmoid(x)", 9, accuracy(0.1));  // without a partner
  search.finished("tanh(x)", 0, accuracy(0.6));
  const auto rows = db.leaderboard({.reference = "fingerprint of max(x, 0)"});
  ASSERT_EQ(rows.size(), 3u);
  for (const LeaderboardRow& row : rows) {
    if (row.formula == "x * sigmoid(x)") {
      ASSERT_TRUE(row.compared.has_value());
      EXPECT_EQ(row.compared->n, 5);
      EXPECT_EQ(row.compared->common, 4);
      EXPECT_NEAR(row.compared->difference, 0.0115, 1e-12);
      EXPECT_LT(row.compared->p, 0.01) << "the seeds' noise is in both and cancels";
      EXPECT_GT(row.compared->low, 0);
    } else {
      EXPECT_FALSE(row.compared.has_value()) << row.formula;
    }
  }
}

TEST_P(Leaderboard, CorrectsForAllThatCanBeComparedWhateverIsShown) {
  Store& db = open();
  Search search(db);
  const std::vector<std::string> others{"sin(x)", "cos(x)", "tanh(x)", "atan(x)"};
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const double noise = 0.003 * static_cast<double>(seed);
    search.finished("max(x, 0)", seed, accuracy(0.70));
    search.finished("x * sigmoid(x)", seed, accuracy(0.71 + noise));
    for (std::size_t i = 0; i < others.size(); ++i) search.finished(others[i], seed, accuracy(0.5 + (i + 1) * noise));
  }
  search.finished("x", 0, accuracy(0.6));  // one seed: it cannot be compared
  const auto swish = [&](int top) { return db.leaderboard({.top = top, .reference = "fingerprint of max(x, 0)"}).at(0).compared.value(); };
  EXPECT_EQ(swish(1).p, swish(100).p);
  int compared = 0;
  for (const LeaderboardRow& row : db.leaderboard({.reference = "fingerprint of max(x, 0)"})) compared += row.compared ? 1 : 0;
  EXPECT_EQ(compared, 5);
  EXPECT_GT(swish(1).p, 1.5 * swish(1).p_alone) << "five comparisons count";
}

TEST_P(Leaderboard, WhereOneSeedIsAllTheKnownDeviationSaysWhatAMeanIsWorth) {
  Store& db = open();
  Search search(db, "vgg-s", "vgg-s known");
  const std::vector<std::pair<std::string, double>> scores{{"a", 0.80}, {"b", 0.795}, {"c", 0.79}, {"d", 0.75}, {"e", 0.60}};
  for (const auto& [formula, score] : scores) search.finished(formula, 0, accuracy(score));
  LeaderboardQuery query{.sort = Sort::kLowerBound};
  EXPECT_FALSE(db.seed_spread(query).has_value());
  EXPECT_FALSE(db.leaderboard(query).at(0).margin.has_value());
  EXPECT_FALSE(db.leaderboard(query).at(0).tied.has_value());
  query.known_spread = [](const std::string& conditions) {
    return conditions == "vgg-s known" ? std::optional(SeedSpread(0.005, 10, "a page")) : std::nullopt;
  };
  EXPECT_EQ(db.seed_spread(query)->source(), "a page");
  const auto rows = db.leaderboard(query);
  EXPECT_NEAR(rows[0].margin.value(), 2.2281388520 * 0.005, 1e-10);
  EXPECT_FALSE(rows[0].bound.has_value()) << "what ranks is what the file itself knows";
  // Two single trials are told apart from 0.0158 on.
  const auto tied = [&](std::size_t i) { return std::pair(rows[i].tied->first, rows[i].tied->last); };
  EXPECT_EQ(tied(0), std::pair(1, 3));
  EXPECT_EQ(tied(1), std::pair(1, 3));
  EXPECT_EQ(tied(2), std::pair(1, 3));
  EXPECT_EQ(tied(3), std::pair(4, 4));
  EXPECT_EQ(tied(4), std::pair(5, 5));
  const auto few = db.leaderboard({.top = 1, .sort = Sort::kLowerBound, .known_spread = query.known_spread});
  EXPECT_EQ(few[0].tied->last, 3) << "a tie goes beyond what is shown";
}

TEST_P(Leaderboard, AFilesOwnSeedsGoBeforeTheKnownDeviationOnceTheyHaveTenDegreesOfFreedom) {
  Store& db = open();
  Search search(db);
  const LeaderboardQuery query{.known_spread = [](const std::string&) { return SeedSpread(0.005, 38, "a page"); }};
  for (std::uint64_t seed = 0; seed < 10; ++seed) search.finished("a", seed, accuracy(seed % 2 == 0 ? 0.7 : 0.72));
  EXPECT_EQ(db.seed_spread(query)->source(), "a page") << "nine degrees of freedom";
  EXPECT_EQ(db.seed_spread({})->degrees(), 9) << "better than nothing";
  for (std::uint64_t seed = 0; seed < 2; ++seed) search.finished("b", seed, accuracy(0.6));
  EXPECT_EQ(db.seed_spread(query)->degrees(), 10);
  EXPECT_EQ(db.seed_spread(query)->source(), "pooled over 2 functions of this file with several seeds");
  EXPECT_NEAR(db.seed_spread(query)->deviation(), 0.01, 1e-9);  // ten squares of 0.01, and none
  EXPECT_EQ(cell(db, "SELECT degrees FROM recipes"), "10");
  const auto rows = db.leaderboard(query);
  EXPECT_NEAR(rows[0].margin.value(), 2.2281388520 * 0.01 / std::sqrt(10.0), 1e-9);
  EXPECT_NEAR(rows[0].mean - rows[0].bound.value(), rows[0].margin.value(), 1e-12);
}

TEST_P(Leaderboard, TiesWithMeansOfManySeedsAreNarrower) {
  Store& db = open();
  Search search(db);
  const LeaderboardQuery query{.sort = Sort::kAccuracy, .known_spread = [](const std::string&) { return SeedSpread(0.01, 100, "a page"); }};
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    search.finished("many", seed, accuracy(0.80));
    search.finished("as many", seed, accuracy(0.785));
  }
  search.finished("one", 0, accuracy(0.781));
  const auto rows = db.leaderboard(query);  // from 0.0140 on between means of four, from 0.0222 on beside the single one
  EXPECT_EQ(rows[0].tied->first, 1);
  EXPECT_EQ(rows[0].tied->last, 2) << "told apart from the second, not from the third: one other may stand before it";
  EXPECT_EQ(rows[1].tied->first, 2);
  EXPECT_EQ(rows[2].tied->first, 1);
  EXPECT_EQ(rows[2].tied->last, 3);
}

TEST_P(Leaderboard, StatesMeanCountAndTheIntervalOverSeeds) {
  Store& db = open();
  Search search(db);
  const std::vector<double> accuracies = {0.80, 0.82, 0.81};
  for (std::size_t seed = 0; seed < accuracies.size(); ++seed) {
    TrialRecord result = accuracy(accuracies[seed], static_cast<double>(seed + 1));
    result.beta = "[{\"mean\":" + std::to_string(seed + 1) + "}]";
    search.finished("x * sigmoid(beta * x)", seed, result, 4);
  }
  search.finished("x", 0, accuracy(0.7));
  const auto rows = db.leaderboard({});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].rank, 1);
  EXPECT_EQ(rows[0].formula, "x * sigmoid(beta * x)");
  EXPECT_EQ(rows[0].recipe, "vgg-s");
  EXPECT_EQ(rows[0].n, 3);
  EXPECT_NEAR(rows[0].mean, 0.81, 1e-15);
  const double half_width = 4.3026527297 * 0.01 / std::sqrt(3.0);  // t(2), deviation 0.01
  EXPECT_NEAR(rows[0].low.value(), 0.81 - half_width, 1e-10);
  EXPECT_NEAR(rows[0].high.value(), 0.81 + half_width, 1e-10);
  EXPECT_EQ(rows[0].best, 0.82);
  EXPECT_EQ(rows[0].beta, 2.0);
  EXPECT_EQ(rows[0].epochs, 4);
  EXPECT_EQ(rows[0].seconds, 2.0);
  EXPECT_EQ(rows[1].rank, 2);
  EXPECT_EQ(rows[1].n, 1);
  EXPECT_FALSE(rows[1].low || rows[1].high || rows[1].beta);
}

TEST_P(Leaderboard, SortsAsAskedAndTiesByFormula) {
  Store& db = open();
  Search search(db);
  search.finished("steady", 0, accuracy(0.80, 3));
  search.finished("steady", 1, accuracy(0.80, 3));
  search.finished("lucky", 0, accuracy(0.90, 2));
  search.finished("lucky", 1, accuracy(0.74, 2));
  search.finished("b", 0, accuracy(0.81, 1));
  search.finished("a", 0, accuracy(0.81, 1));
  using Names = std::vector<std::string>;
  EXPECT_EQ(formulas(db.leaderboard({.sort = Sort::kAccuracy})), (Names{"lucky", "a", "b", "steady"}));
  EXPECT_EQ(formulas(db.leaderboard({.sort = Sort::kLowerBound})), (Names{"lucky", "steady", "a", "b"}));
  EXPECT_EQ(formulas(db.leaderboard({.top = 3, .sort = Sort::kLowerBound})), (Names{"lucky", "steady", "a"}));
  EXPECT_EQ(formulas(db.leaderboard({.sort = Sort::kTime})), (Names{"a", "b", "lucky", "steady"}));
  EXPECT_EQ(formulas(db.leaderboard({.sort = Sort::kTrials})), (Names{"lucky", "steady", "a", "b"}));
  EXPECT_EQ(formulas(db.leaderboard({.top = 2})), (Names{"lucky", "a"}));
  EXPECT_TRUE(db.leaderboard({.top = 0}).empty());
}

TEST_P(Leaderboard, TheLowerBoundHoldsFewSeedsAgainstAMeanByThePooledDeviation) {
  Store& db = open();
  Search search(db);
  for (const double d : {-0.01, 0.0, 0.01}) {
    const auto seed = static_cast<std::uint64_t>(std::lround(100 * d + 1));
    search.finished("first", seed, accuracy(0.80 + d));
    search.finished("second", seed, accuracy(0.78 + d));
  }
  search.finished("lucky", 0, accuracy(0.82));
  const auto rows = db.leaderboard({.sort = Sort::kLowerBound});
  ASSERT_EQ(rows.size(), 3u);
  const double t = 2.7764451052;  // 4 degrees of freedom: two candidates with three trials each, deviation 0.01
  EXPECT_EQ(rows[0].formula, "lucky") << "by 0.02, which is more than its bound lies lower";
  EXPECT_NEAR(rows[0].bound.value(), 0.82 - t * 0.01, 1e-10);
  EXPECT_NEAR(rows[1].bound.value(), 0.80 - t * 0.01 / std::sqrt(3.0), 1e-10);
  EXPECT_NEAR(rows[2].bound.value(), 0.78 - t * 0.01 / std::sqrt(3.0), 1e-10);
  search.finished("unlucky", 0, accuracy(0.805));
  EXPECT_EQ(db.leaderboard({.sort = Sort::kLowerBound})[2].formula, "unlucky") << "its mean is above the first's, its bound below";
  EXPECT_EQ(db.leaderboard({.sort = Sort::kAccuracy})[1].formula, "unlucky");
}

TEST_P(Leaderboard, WithoutSeveralSeedsOfAnythingTheLowerBoundRanksByAccuracy) {
  Store& db = open();
  Search search(db);
  search.finished("x", 0, accuracy(0.7));
  search.finished("exp(x)", 0, accuracy(0.8));
  const auto rows = db.leaderboard({.sort = Sort::kLowerBound});
  EXPECT_EQ(rows.at(0).formula, "exp(x)");
  EXPECT_FALSE(rows.at(0).bound.has_value());
}

TEST_P(Leaderboard, RanksOneRecipeTextTheOneWithMostFinishedTrials) {
  Store& db = open();
  Search small(db, "vgg-s", "vgg-s 1 epoch"), large(db, "vgg-s", "vgg-s 4 epochs"), deep(db, "vgg16-slim", "vgg16-slim 3 epochs");
  small.finished("x", 0, accuracy(0.5));
  large.finished("x", 0, accuracy(0.8));
  large.finished("x", 1, accuracy(0.8));
  for (std::uint64_t seed = 0; seed < 3; ++seed) deep.finished("x", seed, accuracy(0.7));
  EXPECT_EQ(db.leaderboard({.recipe = "vgg-s"}).at(0).mean, 0.8);
  EXPECT_EQ(db.leaderboard({.recipe = "vgg-s"}).size(), 1u);
  EXPECT_EQ(db.leaderboard({.recipe = "vgg-s 1 epoch"}).at(0).mean, 0.5) << "a text names itself";
  EXPECT_EQ(db.leaderboard({}).at(0).recipe, "vgg16-slim");
  EXPECT_TRUE(db.leaderboard({.recipe = "vgg-m"}).empty());
}

TEST_P(Leaderboard, ARecipeMayBeNamedByItsNameAndSomeOfItsFields) {
  Store& db = open();
  Search plain(db, "vgg-s", "vgg-s epochs=3 peak=0.1"), slow(db, "vgg-s", "vgg-s epochs=3 peak=0.03"),
      more(db, "vgg-s", "vgg-s epochs=3 peak=0.1 fold=1"), deep(db, "vgg16-slim", "vgg16-slim epochs=3 peak=0.03");
  slow.finished("x", 0, accuracy(0.6));
  plain.finished("x", 0, accuracy(0.5));
  more.finished("x", 0, accuracy(0.8));
  more.finished("x", 1, accuracy(0.8));
  deep.finished("x", 0, accuracy(0.7));
  TrialRecord failure;
  failure.failure = "non-finite loss";
  for (Search* search : {&plain, &slow, &more}) search->finished("1/x", 0, failure);
  const auto mean = [&](const std::string& recipe) { return db.leaderboard({.recipe = recipe}).at(0).mean; };
  EXPECT_EQ(mean("vgg-s peak=0.03"), 0.6);
  EXPECT_EQ(mean("vgg-s peak=0.03 epochs=3"), 0.6) << "in any order";
  EXPECT_EQ(mean("vgg-s peak=0.1"), 0.8) << "of several that fit, the one with most finished trials";
  EXPECT_EQ(mean("vgg-s epochs=3 peak=0.1"), 0.5) << "a whole text is itself, not those that say more";
  EXPECT_EQ(db.failures("vgg-s epochs=3 peak=0.1").size(), 1u);
  EXPECT_EQ(db.failures("vgg-s peak=0.1").size(), 2u);
  EXPECT_EQ(db.failures("vgg-s").size(), 3u);
  for (const char* const none : {"vgg-s peak=0", "vgg-s peak", "vgg epochs=3", "epochs=3", "epochs=3 peak=0.1", "", " ", "vgg-s "}) {
    EXPECT_TRUE(db.leaderboard({.recipe = none}).empty()) << none;
    EXPECT_TRUE(db.failures(none).empty()) << none;
  }
}

TEST_P(Leaderboard, WithoutValidationImagesFinalTestAccuracyRanks) {
  Store& db = open();
  Search search(db, "vgg16-bn", "vgg16-bn bf16");
  TrialRecord result;
  result.final_test_accuracy = 0.91;
  result.best_test_accuracy = 0.93;
  search.finished("x", 0, result);
  EXPECT_EQ(db.leaderboard({}).at(0).mean, 0.91);
}

TEST_P(Leaderboard, TopCandidatesComeInItsOrder) {
  Store& db = open();
  Search search(db);
  db.candidate(candidate_record("max(x, 0)", "relu"));
  search.finished("x", 0, accuracy(0.5));
  search.finished("max(x, 0)", 0, accuracy(0.8));
  const auto top = db.top_candidates({.top = 1});
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(top[0].formula, "max(x, 0)");
  EXPECT_EQ(top[0].name, "relu");
  EXPECT_EQ(top[0].fingerprint, "fingerprint of max(x, 0)");
}

}  // namespace
}  // namespace actsearch::testing
