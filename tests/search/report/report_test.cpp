#include <nlohmann/json.hpp>

#include "db/sqlite/store.h"
#include "grammar/display.h"
#include "grammar/operators.h"
#include "search/report/page.h"
#include "search/report/report_data.h"
#include "search/text/machine.h"
#include "tests/search/report/report_fixture.h"
#include "tests/search/support.h"

namespace actsearch::testing {
namespace {

using nlohmann::json;

constexpr double kSixDigits = 1e-5;  // relative: what the document rounds to is half of it

class Report : public ::testing::Test {
 protected:
  std::string text(const ReportLimits& limits = {}) const {
    Forms forms;
    KernelTimes none(std::chrono::seconds(0));
    return report_json(SqliteStore(file_, Store::Access::kReadOnly), "a.db", forms, none, limits);
  }
  json document(const ReportLimits& limits = {}) const { return json::parse(text(limits)); }

  TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "a.db";
};

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

/// Digits of base 92 as forms.h has them.
int digit(char c) { return static_cast<int>(kDigits.find(c)); }

/// The MathML that a form's places stand for.
std::string unpacked(const std::string& packed, const std::vector<std::string>& tags) {
  std::string text;
  std::vector<std::string> open;
  for (std::size_t at = 0; at < packed.size();) {
    std::size_t place = kDigits.find(packed[at++]);
    if (place == kOneDigit) {
      place = kDigits.find(packed[at]) * kDigits.size() + kDigits.find(packed[at + 1]);
      at += 2;
    }
    const std::string& tag = tags.at(place);
    const std::string name = tag.substr(0, tag.find_first_of(" :"));
    const std::size_t colon = tag.find(':');
    if (tag == "/") {
      text.append("</").append(open.back()).append(">");
      open.pop_back();
    } else if (colon == std::string::npos) {
      text.append("<").append(tag).append(">");
      open.push_back(name);
    } else {
      text.append("<").append(tag, 0, colon).append(">").append(tag, colon + 1).append("</").append(name).append(">");
    }
  }
  return text;
}

TEST_F(Report, RanksAsTheLeaderboardDoes) {
  fill_small(file_);
  const json data = document();
  ASSERT_EQ(data["recipes"].size(), 1u);
  const json& ranking = data["recipes"][0]["ranking"];
  const auto rows = SqliteStore(file_, Store::Access::kReadOnly).leaderboard({kReportRecipe, 100, LeaderboardQuery::Sort::kLowerBound});
  ASSERT_EQ(rows.size(), 6u);
  ASSERT_EQ(ranking["function"].size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t function = ranking["function"][i];
    EXPECT_EQ(data["functions"]["formula"][function], rows[i].formula);
    EXPECT_EQ(ranking["n"][i], rows[i].n);
    const auto expect = [&](const char* name, std::optional<double> value) {
      ASSERT_TRUE(value) << name;
      EXPECT_NEAR(ranking[name][i].get<double>(), *value, kSixDigits * std::abs(*value)) << name << " of " << rows[i].formula;
    };
    expect("mean", rows[i].mean);
    expect("low", rows[i].low);
    expect("high", rows[i].high);
    expect("bound", rows[i].bound);
    expect("best", rows[i].best);
    expect("seconds", rows[i].seconds);
  }
}

TEST_F(Report, ComparesAsTheLeaderboardDoes) {
  fill_small(file_);
  const json data = document();
  const json& comparisons = data["recipes"][0]["comparisons"];
  ASSERT_EQ(comparisons.size(), 3u);  // relu, swish1, swish
  const SqliteStore database(file_, Store::Access::kReadOnly);
  for (const json& comparison : comparisons) {
    const std::string formula = data["functions"]["formula"][comparison["reference"].get<std::size_t>()];
    LeaderboardQuery query{kReportRecipe, 100, LeaderboardQuery::Sort::kLowerBound};
    query.reference = std::get<Candidate>(consider(parse(formula))).fingerprint;
    const json& compared = comparison["rows"];
    std::size_t i = 0;
    for (const LeaderboardRow& row : database.leaderboard(query)) {
      if (!row.compared) continue;
      ASSERT_LT(i, compared["function"].size());
      EXPECT_EQ(data["functions"]["formula"][compared["function"][i].get<std::size_t>()], row.formula);
      EXPECT_EQ(compared["n"][i], row.compared->n);
      EXPECT_NEAR(compared["difference"][i].get<double>(), row.compared->difference, 1e-6);
      EXPECT_NEAR(compared["p"][i].get<double>(), row.compared->p, kSixDigits);
      EXPECT_NEAR(compared["equal_within"][i].get<double>(), row.compared->equal_within, kSixDigits);
      ++i;
    }
    EXPECT_EQ(i, compared["function"].size());
    EXPECT_EQ(i, 5u) << formula;
  }
}

TEST_F(Report, HoldsTrialsEpochsFailuresAndConditions) {
  fill_small(file_);
  const json data = document();
  const json& recipe = data["recipes"][0];
  EXPECT_EQ(recipe["trials"]["accuracy"].size(), 18u);
  EXPECT_EQ(recipe["trials"]["beta"][0], json::parse("[[1.01235,0.0412345,0.812346,1.23457]]"));
  EXPECT_EQ(recipe["epochs"]["trial"].size(), 54u);
  EXPECT_EQ(recipe["epochs"]["epoch"][2], 2);
  EXPECT_FALSE(recipe["epochs"].contains("test_accuracy"));  // nothing is stored there
  EXPECT_EQ(recipe["reasons"], json::parse(R"([["non-finite loss", 1]])"));
  EXPECT_EQ(recipe["failures"]["detail"][0], "in epoch 0");
  EXPECT_EQ(recipe["counts"], json::parse(R"({"done": 18, "failed": 1})"));
  EXPECT_EQ(recipe["text"], kReportRecipe);
  EXPECT_EQ(data["studies"][0]["machine"], "a machine");
  EXPECT_EQ(data["studies"][0]["program_commit"], "abc123");
  EXPECT_EQ(data["rejections"], json::parse(R"([[1, "constant", 1]])"));
}

TEST_F(Report, KernelsAreMeasuredWhereTheBudgetAllowsIt) {
  fill_small(file_);
  Forms forms;
  KernelTimes times(std::chrono::seconds(60));
  const SqliteStore database(file_, Store::Access::kReadOnly);
  const json data = json::parse(report_json(database, "a.db", forms, times)), &functions = data["functions"];
  for (const char* name : {"forward_ns", "backward_ns"}) {
    for (const json& time : functions[name]) EXPECT_GT(time.get<double>(), 0) << name;
    EXPECT_EQ(functions[name].size(), functions["formula"].size());
  }
  EXPECT_EQ(data["measured_on"], processor_model());
  EXPECT_EQ(json::parse(report_json(database, "a.db", forms, times))["functions"]["forward_ns"], functions["forward_ns"])
      << "measured once";
  EXPECT_FALSE(document()["functions"].contains("forward_ns")) << "no budget";
  KernelTimes least(std::chrono::nanoseconds(1));
  const json few = json::parse(report_json(database, "a.db", forms, least))["functions"];
  for (std::size_t i = 0; i < few["formula"].size(); ++i)
    EXPECT_EQ(!few["forward_ns"][i].is_null(), few["name"][i] == "relu") << "what is spent on one is spent on a reference";
}

TEST_F(Report, WithOneSeedEachTheKnownDeviationIsNamedWithItsSource) {
  {
    ReportFixture fixture(file_);
    const std::string text = conditions_text(find_recipe("vgg16-slim"), Precision::kFp32, "CIFAR-10, MD5 of the six files 00");
    fixture.study(text);
    const Id recipe = fixture.recipe(text);
    fixture.finished(fixture.candidate("max(x, 0)"), recipe, 0, 0.760);
    fixture.finished(fixture.candidate("tanh(x)"), recipe, 0, 0.755);
    fixture.finished(fixture.candidate("sin(x)"), recipe, 0, 0.600);
  }
  const json data = document(), &recipe = data["recipes"][0];
  EXPECT_EQ(recipe["spread"]["deviation"], 0.0045);
  EXPECT_EQ(recipe["spread"]["source"], "docs/results/proxy-noise.md");
  EXPECT_NEAR(recipe["ranking"]["margin"][0].get<double>(), 0.00911, 1e-5);
  EXPECT_EQ(recipe["ranking"]["tied_first"], json::parse("[1, 1, 3]"));
  EXPECT_EQ(recipe["ranking"]["tied_last"], json::parse("[2, 2, 3]"));
}

TEST_F(Report, KeepsRecipesApart) {
  fill_two_recipes(file_);
  const json data = document();
  ASSERT_EQ(data["recipes"].size(), 2u);
  for (const json& recipe : data["recipes"]) EXPECT_EQ(recipe["ranking"]["function"].size(), 1u);
  EXPECT_EQ(data["functions"]["formula"].size(), 1u);
}

TEST_F(Report, FormsAreWhatTheReferenceComputes) {
  Forms forms;
  for (const NamedActivation& named : baselines()) {
    const std::string formula = to_text(named.expression);
    const Form& form = forms.of(formula);
    const Program program = lower(named.expression);
    ASSERT_EQ(form.shape.size(), 2u * kShapePoints) << formula;
    for (int i = 0; i < kShapePoints; ++i) {
      const double y =
          evaluate_forward(program, -5 + 10.0 * i / (kShapePoints - 1), std::vector<double>(program.dydbeta.size(), kBetaStart));
      const int level = 92 * digit(form.shape[2 * static_cast<std::size_t>(i)]) + digit(form.shape[2 * static_cast<std::size_t>(i) + 1]);
      if (std::abs(y) > 10) {
        EXPECT_GE(level, kShapeLevels) << formula;
      } else {
        EXPECT_NEAR(form.low + (form.high - form.low) * level / (kShapeLevels - 1), y, 20.0 / kShapeLevels) << formula;
      }
    }
    EXPECT_EQ(unpacked(form.mathml, forms.tags()), to_mathml(parse(formula))) << formula;
  }
  EXPECT_EQ(forms.of("max(x, 0)").operations, 1);
  EXPECT_EQ(forms.of("x * sigmoid(beta * x)").operations, 3);
}

TEST_F(Report, ManyDifferentNumbersStillHaveTheirForms) {
  Forms forms;
  for (int i = 0; i < 300; ++i) {
    const std::string formula = "x + " + std::to_string(i) + ".5";
    EXPECT_EQ(unpacked(forms.of(formula).mathml, forms.tags()), to_mathml(parse(formula)));
  }
  EXPECT_GT(forms.tags().size(), kOneDigit);
}

TEST_F(Report, AFormulaThatIsNoneIsText) {
  Forms forms;
  const Form& form = forms.of(kHostileText);
  EXPECT_EQ(form.mathml, "");
  EXPECT_EQ(form.shape, "");
  EXPECT_EQ(form.operations, 0);
}

TEST_F(Report, HostileTextStaysText) {
  fill_hostile(file_);
  const std::string document_text = text();
  EXPECT_EQ(document_text.find('<'), std::string::npos);
  const json data = json::parse(document_text);
  EXPECT_EQ(data["functions"]["formula"][0], kHostileText);  // nothing is lost
  fill_small(directory_.path() / "plain.db");
  Forms forms;
  KernelTimes none(std::chrono::seconds(0));
  const std::string plain = report_json(SqliteStore(directory_.path() / "plain.db", Store::Access::kReadOnly), "a.db", forms, none);
  for (const PageKind kind : {PageKind::kFile, PageKind::kLive}) {
    const std::string hostile_page = page(document_text, kind), plain_page = page(plain, kind);
    for (const char* part : {"<", "<script", "</script", "<!--", "<img"}) {
      EXPECT_EQ(occurrences(hostile_page, part), occurrences(plain_page, part)) << part;
    }
    EXPECT_EQ(occurrences(hostile_page, document_text), 1u);  // whole, and nothing put into it
  }
}

TEST_F(Report, TextThatIsNotUtf8DoesNotStopThePage) {
  {
    ReportFixture fixture(file_);
    fixture.study(kReportRecipe, "\xff\xfe machine");
    fixture.finished(fixture.candidate("\xc3( formula"), fixture.recipe(), 0, 0.5);
  }
  EXPECT_NE(document()["studies"][0]["machine"].get<std::string>().find(" machine"), std::string::npos);
}

TEST_F(Report, AnEmptyDatabaseAndOneWithoutResultsHaveADocument) {
  SqliteStore(file_, Store::Access::kCreate);
  EXPECT_EQ(document()["recipes"].size(), 0u);
  fill_begun(file_);
  const json data = document();
  ASSERT_EQ(data["recipes"].size(), 1u);
  EXPECT_EQ(data["recipes"][0]["counts"]["running"], 1) << "the other's lease is over";
  EXPECT_TRUE(data["recipes"][0]["ranking"].empty());
  EXPECT_EQ(data["recipes"][0]["unfinished"], json::parse(R"({"function": [0], "seed": [0], "status": ["running"], "epochs": [1]})"));
  EXPECT_EQ(data["recipes"][0]["epochs"]["validation_accuracy"], json::parse("[0.4]"));
}

TEST_F(Report, ShowsWhatRunsNowAndNothingWhoseLeaseIsOver) {
  {
    ReportFixture fixture(file_);
    fixture.study();
    const Id recipe = fixture.recipe();
    fixture.running(fixture.candidate("sin(x)"), recipe, 0);  // its process is gone
    fixture.at_work(fixture.candidate("x * sin(x)"), recipe, 7, 1, 10);
  }
  const json running = document()["recipes"][0]["running"];
  EXPECT_EQ(running["epochs"], json::parse("[1.1]")) << running;
  EXPECT_EQ(running["planned"], json::parse("[3]")) << running;
  EXPECT_EQ(running["seed"], json::parse("[7]")) << running;
  EXPECT_GT(running["lease"][0].get<double>(), 500);
}

TEST_F(Report, ARaceHasItsFunnelAndListsWhatItHasPausedWithoutARank) {
  fill_race(file_);
  const json data = document(), recipe = data["recipes"][0];
  ASSERT_EQ(recipe["races"].size(), 1u);
  const json& stages = recipe["races"][0]["stages"];
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0],
            json::parse(R"({"epochs": 0.25, "entered": 6, "failed": 0, "under_way": 0, "judged": 6, "stopped": 4, "went_on": 2})"));
  EXPECT_EQ(stages[1],
            json::parse(R"({"epochs": 0.5, "entered": 2, "failed": 0, "under_way": 0, "judged": 2, "stopped": 2, "went_on": 0})"));
  EXPECT_EQ(stages[2]["epochs"], 0);
  EXPECT_EQ(recipe["paused"]["epochs"], json::parse("[0.5, 0.5, 0.25, 0.25, 0.25, 0.25]"));
  EXPECT_EQ(data["functions"]["formula"][recipe["paused"]["function"][0].get<std::size_t>()], "x * sigmoid(x)") << "its loss is lower";
  EXPECT_EQ(recipe["ranking"]["function"].size(), 1u);
  const json few = document({.paused = 4});
  EXPECT_EQ(few["recipes"][0]["paused"]["epochs"].size(), 4u);
  EXPECT_EQ(few["recipes"][0]["left_out"]["paused"], 2);
}

TEST_F(Report, LimitsLeaveOutTheLowestButNoReferenceAndSaySo) {
  fill_small(file_);
  const json data = document({.functions = 4, .trials = 6, .epoch_rows = 9, .failures = 0});
  const json& recipe = data["recipes"][0];
  EXPECT_EQ(recipe["ranking"]["function"].size(), 4u);  // the last of them Swish, a reference
  EXPECT_EQ(recipe["left_out"]["functions"], 2);
  EXPECT_EQ(recipe["trials"]["seed"].size(), 6u + 3);
  EXPECT_EQ(recipe["left_out"]["trials"], 3);
  EXPECT_EQ(recipe["epochs"]["trial"].size(), 9u + 9);
  EXPECT_EQ(recipe["left_out"]["curves"], 2);
  EXPECT_TRUE(recipe["failures"].empty());
  EXPECT_EQ(recipe["reasons"].size(), 1u);
}

TEST_F(Report, TenThousandTrialsStayBelowFiveMegabytes) {
  fill_large(file_, 10'000);
  const json data = document();
  const std::set<std::string> formulas = data["functions"]["formula"];
  EXPECT_GT(formulas.size(), 9'000u);
  EXPECT_EQ(data["recipes"][0]["trials"]["accuracy"].size(), 10'000u);
  EXPECT_EQ(data["recipes"][0]["epochs"]["epoch"].size(), 30'000u);  // of 50,000: the best functions' curves
  const std::size_t size = page(text(), PageKind::kFile).size();
  EXPECT_LT(size, 5'000'000u);
}

TEST_F(Report, ThePolicyOfAFileAllowsNoConnection) {
  EXPECT_NE(content_security_policy(PageKind::kFile).find("connect-src 'none'"), std::string::npos);
  EXPECT_NE(content_security_policy(PageKind::kLive).find("connect-src 'self'"), std::string::npos);
  EXPECT_EQ(content_security_policy(PageKind::kFile).find("unsafe"), std::string::npos);
  EXPECT_NE(page("{}", PageKind::kFile).find(content_security_policy(PageKind::kFile)), std::string::npos);
  EXPECT_EQ(page("{}", PageKind::kFile).find("https:"), std::string::npos);
}

}  // namespace
}  // namespace actsearch::testing
