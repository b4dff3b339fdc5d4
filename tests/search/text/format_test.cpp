#include "search/text/format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace actsearch {
namespace {

Table awkward() {
  Table table;
  table.columns = {"text", "number"};
  table.numeric = {false, true};
  table.rows = {
      {"plain", "1.5"}, {"a,b \"c\"\nd", "-2e-07"}, {std::nullopt, std::nullopt}, {"β·x ≥ \\", "12345678901234567"}, {"12", "0.1"}};
  return table;
}

std::string written(const Table& table, Format format) {
  std::ostringstream out;
  write(out, table, format);
  return out.str();
}

TEST(Format, JsonParsesBackToTheCells) {
  const auto json = nlohmann::json::parse(written(awkward(), Format::kJson));
  ASSERT_EQ(json.size(), 5u);
  EXPECT_EQ(json[0]["text"], "plain");
  EXPECT_EQ(json[0]["number"], 1.5);
  EXPECT_EQ(json[1]["text"], "a,b \"c\"\nd");
  EXPECT_EQ(json[1]["number"], -2e-7);
  EXPECT_TRUE(json[2]["text"].is_null());
  EXPECT_TRUE(json[2]["number"].is_null());
  EXPECT_EQ(json[3]["text"], "β·x ≥ \\");
  EXPECT_EQ(json[3]["number"], 12345678901234567);
  EXPECT_EQ(json[4]["text"], "12") << "a text that looks like a number stays a text";
}

TEST(Format, JsonOfNoRowsIsAnEmptyArray) {
  Table table = awkward();
  table.rows.clear();
  EXPECT_EQ(nlohmann::json::parse(written(table, Format::kJson)), nlohmann::json::array());
}

TEST(Format, JsonSurvivesBytesThatAreNotUtf8) {
  Table table = awkward();
  table.rows = {{"\xff\xfe", "1"}};
  EXPECT_TRUE(nlohmann::json::accept(written(table, Format::kJson)));
}

TEST(Format, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(written(awkward(), Format::kCsv),
            "text,number\nplain,1.5\n\"a,b \"\"c\"\"\nd\",-2e-07\n,\nβ·x ≥ \\,12345678901234567\n12,0.1\n");
}

TEST(Format, TableAlignsByCharactersAndStaysOnItsLines) {
  EXPECT_EQ(written(awkward(), Format::kTable),
            "text                  number\n"
            "plain                    1.5\n"
            "a,b \"c\" d             -2e-07\n"
            "-                          -\n"
            "β·x ≥ \\    12345678901234567\n"
            "12                       0.1\n");
}

/// The column's place.
std::size_t at(const Table& table, const std::string& column) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), column);
  EXPECT_NE(found, table.columns.end()) << column;
  return static_cast<std::size_t>(found - table.columns.begin());
}

TEST(Format, LeaderboardStatesIntervalOnlyWhereThereIsOne) {
  LeaderboardRow one;
  one.formula = "max(x, 0)";
  one.mean = 0.8191;
  one.n = 1;
  LeaderboardRow two = one;
  two.n = 5;
  two.low = 0.81;
  two.high = 0.82;
  two.beta = 1.25;
  two.margin = 0.0041;
  two.tied = RankRange{1, 9};
  const Table people = leaderboard_table({one, two}, {}, Format::kTable);
  EXPECT_EQ(people.rows[0][at(people, "accuracy %")], "81.91");
  EXPECT_FALSE(people.rows[0][at(people, "± %")]);
  EXPECT_EQ(people.rows[1][at(people, "± %")], "0.41");
  EXPECT_FALSE(people.rows[0][at(people, "tied")]);
  EXPECT_EQ(people.rows[1][at(people, "tied")], "1-9");
  const auto json = nlohmann::json::parse(written(leaderboard_table({one, two}, {}, Format::kJson), Format::kJson));
  EXPECT_EQ(json[0]["accuracy %"], 81.91) << "in the same unit as for people";
  EXPECT_TRUE(json[0]["low %"].is_null());
  EXPECT_EQ(json[1]["high %"], 82);
  EXPECT_EQ(json[1]["± %"], 0.41);
  EXPECT_EQ(json[1]["tied_last"], 9);
  EXPECT_EQ(json[1]["beta"], 1.25);
}

TEST(Format, LeaderboardListsWhatARaceHasPausedLastAndWithoutARank) {
  LeaderboardRow finished;
  finished.rank = 1;
  finished.formula = "max(x, 0)";
  finished.recipe = "vgg-s";
  finished.mean = 0.8191;
  finished.n = 1;
  finished.epochs = 3;
  Provisional provisional;
  provisional.recipe.text = "vgg-s epochs=3";
  provisional.recipe.epochs = 3;
  provisional.rows = {{.candidate = 2, .formula = "sin(x)", .name = "", .epochs = 1.5, .train_loss = 1.25, .n = 1},
                      {.candidate = 3, .formula = "x", .name = "identity", .epochs = 22.0 / 351, .train_loss = 2, .n = 1}};
  const Table people = leaderboard_table({finished}, provisional, Format::kTable);
  ASSERT_EQ(people.rows.size(), 3u);
  EXPECT_EQ(people.rows[0][at(people, "status")], "finished");
  EXPECT_EQ(people.rows[1][at(people, "status")], "paused at 1.5 of 3 epochs");
  EXPECT_EQ(people.rows[2][at(people, "status")], "paused at 0.06 of 3 epochs");
  EXPECT_EQ(people.rows[1][at(people, "training loss")], "1.2500");
  EXPECT_FALSE(people.rows[1][at(people, "rank")]);
  EXPECT_FALSE(people.rows[1][at(people, "accuracy %")]) << "there is none at the end";
  EXPECT_EQ(std::count(people.columns.begin(), people.columns.end(), "beta"), 0) << "no row has one";
  const auto json = nlohmann::json::parse(written(leaderboard_table({finished}, provisional, Format::kJson), Format::kJson));
  EXPECT_EQ(json[0]["status"], "finished");
  EXPECT_EQ(json[0]["epochs"], 3);
  EXPECT_TRUE(json[0]["train_loss"].is_null());
  EXPECT_EQ(json[1]["status"], "paused");
  EXPECT_EQ(json[1]["epochs"], 1.5);
  EXPECT_EQ(json[1]["recipe"], "vgg-s");
  EXPECT_EQ(json[1]["train_loss"], 1.25);
  EXPECT_TRUE(json[1]["rank"].is_null());
  EXPECT_TRUE(json[1]["accuracy %"].is_null());
  const Table alone = leaderboard_table({}, provisional, Format::kTable);
  EXPECT_EQ(alone.columns, (std::vector<std::string>{"formula", "name", "n", "status", "training loss"}));
}

TEST(Format, WhatIsNotToldApartIsNotCalledEqual) {
  const auto said = [](double difference, double p, std::optional<double> margin) {
    Comparison compared;
    compared.difference = difference, compared.p = p, compared.equal_within = 0.02;
    return verdict(compared, margin);
  };
  EXPECT_EQ(said(0.01, 0.05, std::nullopt), "not told apart");
  EXPECT_EQ(said(0.01, 0.049, std::nullopt), "better");
  EXPECT_EQ(said(-0.01, 0.049, std::nullopt), "worse");
  EXPECT_EQ(said(0.01, 0.05, 0.019), "not told apart");
  EXPECT_EQ(said(0.01, 0.05, 0.02), "equal");
  EXPECT_EQ(said(0.01, 0.049, 0.02), "better") << "and by less than the margin";
}

TEST(Format, PercentIsTheSameNumberInFull) {
  EXPECT_EQ(exact_percent(0.7741), "77.41");
  EXPECT_EQ(exact_percent(2.0 / 3), "66.66666667");
  EXPECT_EQ(signed_percent(0.0113), "+1.13");
  EXPECT_EQ(signed_percent(-0.0113), "-1.13");
}

TEST(Format, ExactNumbersReadBack) {
  for (const double value : {0.1, 1.0 / 3, 1e300, -2.5e-300}) EXPECT_EQ(std::stod(exact(value)), value);
  EXPECT_EQ(exact(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(fixed(2.005, 1), "2.0");
}

}  // namespace
}  // namespace actsearch
