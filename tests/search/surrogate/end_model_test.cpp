#include "search/surrogate/end_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>

#include "grammar/candidate.h"
#include "search/surrogate/curve_features.h"

namespace actsearch {
namespace {

const std::vector<double>& features_of(const std::string& formula) {
  static std::map<std::string, std::vector<double>> known;
  const auto [at, fresh] = known.try_emplace(formula);
  if (fresh) at->second = curve_features(candidate_of(formula).program).value();
  return at->second;
}

/// Trials whose losses at two rungs say nothing and whose curves say all, or the other way round.
struct Ended {
  std::vector<EarlyTrial> trials;
  std::vector<double> scores;
};
Ended ended(bool by_curve) {
  Ended all;
  std::mt19937 random(1);
  std::uniform_real_distribution<double> loss(0.5, 2.5);
  const std::vector<std::string> good{"x * sigmoid(x)", "x * sigmoid(2 * x)", "softplus(x)"}, bad{"sin(x)", "cos(x)", "x * x"};
  for (int i = 0; i < 60; ++i) {
    const bool is_good = i % 2 == 0;
    const std::vector<double> losses{loss(random), loss(random)};
    all.trials.push_back({features_of((is_good ? good : bad)[static_cast<std::size_t>(i / 2 % 3)]), losses});
    all.scores.push_back(by_curve ? (is_good ? 0.8 : 0.4) : 1 / losses.back());
  }
  return all;
}

TEST(EndModelTest, LearnsFromTheCurveWhatTheLossesDoNotSay) {
  const Ended known = ended(true);
  const EndModel model(known.trials, known.scores, 1);
  const double kin = model.predict({features_of("x * sigmoid(1.5 * x)"), {2.4, 2.4}}),
               stranger = model.predict({features_of("sin(2 * x)"), {0.6, 0.6}});
  EXPECT_GT(kin, 0.7);
  EXPECT_LT(stranger, 0.5);
}

TEST(EndModelTest, LearnsFromTheLastLossWhatTheCurveDoesNotSay) {
  const Ended known = ended(false);
  const EndModel model(known.trials, known.scores, 1);
  const std::vector<double>& curve = features_of("x * sigmoid(x)");
  EXPECT_GT(model.predict({curve, {1.5, 0.6}}), model.predict({curve, {1.5, 2.3}}) + 0.3);
  EXPECT_GT(model.predict({{}, {1.5, 0.6}}), model.predict({{}, {1.5, 2.3}}) + 0.3) << "also of a function without features";
}

TEST(EndModelTest, TheSameArgumentsGiveTheSameModel) {
  const Ended known = ended(true);
  const EarlyTrial asked{features_of("x - cos(x)"), {1.7, 1.6}};
  EXPECT_EQ(EndModel(known.trials, known.scores, 7).predict(asked), EndModel(known.trials, known.scores, 7).predict(asked));
  EXPECT_NE(EndModel(known.trials, known.scores, 7).predict(asked), EndModel(known.trials, known.scores, 8).predict(asked));
}

TEST(EndModelTest, RefusesWhatDoesNotFit) {
  const Ended known = ended(true);
  EXPECT_THROW(EndModel({}, {}, 1), std::invalid_argument);
  EXPECT_THROW(EndModel(known.trials, std::vector<double>{0.5}, 1), std::invalid_argument);
  const EndModel model(known.trials, known.scores, 1);
  EXPECT_THROW(model.predict({{}, {1.5}}), std::invalid_argument) << "known at another rung";
  std::vector<EarlyTrial> broken = known.trials;
  broken[3].losses[1] = std::nan("");
  EXPECT_THROW(EndModel(broken, known.scores, 1), std::invalid_argument);
}

TEST(EndModelTest, ItsVersionNamesThatOfTheFeatures) {
  EXPECT_TRUE(kEndModel.starts_with("curve features " + std::to_string(kFeatureVersion) + ","));
}

}  // namespace
}  // namespace actsearch
