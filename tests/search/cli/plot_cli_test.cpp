// actsearch plot as people meet it.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>

#include "db/sqlite/connection.h"
#include "db/sqlite/store.h"
#include "tests/search/command_line.h"
#include "tests/search/xml.h"

namespace actsearch::testing {
namespace {

class PlotCommand : public CommandLine {
 protected:
  Ran plot(std::vector<std::string> words) const {
    words.insert(words.begin(), "plot");
    return run(words);
  }
  void plot_refuses(std::vector<std::string> words, const std::vector<std::string>& parts) const {
    words.insert(words.begin(), "plot");
    refuses(words, kUsage, parts);
  }
  static void expect_svg(const std::string& text, const std::vector<std::string>& parts) {
    EXPECT_EQ(xml_fault(text), "");
    EXPECT_EQ(text.substr(0, 5), "<svg ");
    for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << "lacks: " << part;
  }
  /// A database with finished trials of beta * x combined with x; the stand-in for training has learned β 1.25 ± 0.1 (1 to 1.5).
  std::string learned_database() const {
    const std::string file = path("learned.db");
    SqliteStore database(file, Store::Access::kCreate);
    std::ostringstream log;
    Progress progress(log, {});
    const std::atomic<bool> interrupt{false};
    SearchPlan plan = small_plan();
    plan.space = Space("core1", std::vector<std::string>{"identity", "beta_times"}, std::vector<std::string>{"sigmoid_mul"});
    plan.run.seeds = 2;
    run_search(database, plan, fake_outcome, progress, interrupt);
    return file;
  }
  /// Turns the formulas, or names, of a closed database into something else.
  static void execute(const std::string& file, const std::string& sql) {
    sqlite::Connection(file, sqlite::Connection::Mode::kCreate, std::chrono::seconds(5)).execute(sql);
  }
};

TEST_F(PlotCommand, WritesSvgToStandardOutput) {
  const Ran ran = plot({"x * sigmoid(x)"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  expect_svg(ran.out, {"<desc>Functions of x from −5 to 5. x * sigmoid(x).</desc>", "σ("});
  EXPECT_EQ(ran.out, plot({"x * sigmoid(x)"}).out) << "the same bytes each time";
}

TEST_F(PlotCommand, WritesSeveralFilesAtOnce) {
  const Ran ran = plot({"relu", "swish1", "--derivative", "--out", path("a.svg"), "--out", path("a.png")});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  expect_svg(read_text(path("a.svg")), {"relu: max(", "swish1: ", "f′", "Functions and their derivatives"});
  EXPECT_EQ(read_text(path("a.png")).substr(0, 4), "\x89PNG");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 4) << "the two, stdout and stderr";
}

TEST_F(PlotCommand, ReplacesFilesOnlyWhenForced) {
  const std::string file = path("a.svg");
  std::ofstream(file) << "mine";
  plot_refuses({"relu", "--out", file}, {"a.svg exists", "--force"});
  plot_refuses({"relu", "--out", path("new.svg"), "--out", file}, {"a.svg exists"});
  EXPECT_FALSE(std::filesystem::exists(path("new.svg"))) << "nothing is written by halves";
  EXPECT_EQ(read_text(file), "mine");
  EXPECT_EQ(plot({"relu", "--out", file, "--force"}).code, 0);
  expect_svg(read_text(file), {});
  std::filesystem::create_directory(path("folder.svg"));
  plot_refuses({"relu", "--out", path("folder.svg"), "--force"}, {"not a regular file"});
}

TEST_F(PlotCommand, RefusesOutputsItCannotMake) {
  plot_refuses({"relu", "--out", path("a.pdf")}, {"a.pdf", ".svg", ".png"});
  plot_refuses({"relu", "--out", path("a")}, {".svg", ".png"});
  plot_refuses({"relu", "--out", path("a.svg"), "--out", path("./a.svg")}, {"named twice"});
  plot_refuses({"relu", "--force"}, {"--out"});
  refuses({"plot", "relu", "--out", path("missing/a.svg")}, kFailure, {"missing/a.svg", "No such file"});
}

TEST_F(PlotCommand, RefusesWhatIsNoFormula) {
  plot_refuses({}, {"a formula", "--help"});
  plot_refuses({"x +"}, {"'x +'", "column 4"});
  plot_refuses({"relu", "sigmod(x)"}, {"sigmod", "did you mean 'sigmoid'"});
  plot_refuses({""}, {"column 1"});
  plot_refuses(std::vector<std::string>(13, "relu"), {"13 curves", "at most 12"});
}

TEST_F(PlotCommand, RefusesRangesThatAreNone) {
  for (const char* flag : {"--range", "--y-range"}) {
    plot_refuses({"relu", flag, "1"}, {flag, "1 number", "-5,5"});
    plot_refuses({"relu", flag, "1,2,3"}, {flag, "3 numbers"});
    plot_refuses({"relu", flag, "5,-5"}, {flag, "not the smaller"});
    plot_refuses({"relu", flag, "2,2"}, {flag, "not the smaller"});
    plot_refuses({"relu", flag, "a,b"}, {flag, "'a'"});
    plot_refuses({"relu", flag, "0,inf"}, {flag, "inf"});
    plot_refuses({"relu", flag, "0,1e300"}, {flag, "beyond"});
    plot_refuses({"relu", flag, "1,1.0000000001"}, {flag, "too close"});
  }
  const Ran ran = plot({"relu", "--range", "-1,4", "--y-range", "-2,3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_svg(ran.out, {"from −1 to 4"});
}

TEST_F(PlotCommand, RefusesFunctionsThatAreNowhereFinite) {
  plot_refuses({"relu", "log(-1 - square(x))"}, {"log(-1 - square(x))", "nowhere finite from −5 to 5"});
  plot_refuses({"sqrt(x)", "--range", "-5,-1"}, {"sqrt(x)", "nowhere finite from −5 to −1"});
  EXPECT_EQ(plot({"sqrt(x)"}).code, 0) << "finite somewhere is enough";
  EXPECT_EQ(plot({"3", "1 / x"}).code, 0) << "constants and poles can be drawn, though no search would train them";
}

TEST_F(PlotCommand, DrawsAFormulaOnceForEachBeta) {
  const Ran ran = plot({"relu", "swish", "--beta-family", "0.5,1,-2"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_svg(ran.out, {" = 0.5", " = −2", "with β = 0.5.", "relu: max(x, 0)."});
  plot_refuses({"relu", "--beta-family", "1,2"}, {"no formula here has a beta"});
  plot_refuses({"swish", "--beta-family", "1,x"}, {"--beta-family", "'x'"});
  plot_refuses({"swish", "--beta-family", "learned"}, {"--db", "none"});
  plot_refuses({"swish", "--beta-family", "1,2,3,4,5,6,7,8,9,10,11,12,13"}, {"at most 12"});
}

TEST_F(PlotCommand, ShowsWhatTrainingMadeOfBeta) {
  const std::string db = learned_database();
  expect_svg(plot({"--db", db, "--rank", "2"}).out, {" = 1.25</text>"});
  const Ran ranked = plot({"--db", db, "--rank", "1,2"});
  EXPECT_EQ(ranked.code, 0) << ranked.err;
  expect_svg(ranked.out, {" = 1.25"});
  const Ran learned = plot({"relu", "--db", db, "--rank", "1", "--beta-family", "learned", "--derivative"});
  EXPECT_EQ(learned.code, 0) << learned.err;
  expect_svg(learned.out, {"1.25 (mean)", "all channels, "});
  plot_refuses({"--db", db, "--rank", "1,2", "--beta-family", "learned"}, {"one formula", "2 have one"});
}

TEST_F(PlotCommand, RefusesRanksThatThereAreNot) {
  const std::string db = learned_database();
  plot_refuses({"--db", db, "--rank", "99"}, {"no rank 99", "rows"});
  plot_refuses({"--db", db, "--rank", "0"}, {"--rank", "from 1"});
  plot_refuses({"--db", db, "--rank", "1.5"}, {"--rank"});
  plot_refuses({"--db", db, "--rank", "one"}, {"'one'"});
  plot_refuses({"--db", db, "--recipe", "vgg'; --"}, {"no recipe", "vgg'"});
  plot_refuses({"--db", db, "--recipe", "vgg-m"}, {"no finished trials", "vgg-m"});
  plot_refuses({"relu", "--rank", "1"}, {"--db"});
  refuses({"plot", "--db", path("none.db")}, kFailure, {"none.db"});
}

TEST_F(PlotCommand, HostileTextOfADatabaseIsInert) {
  const std::string db = learned_database();
  execute(db, "UPDATE candidate SET name = '</text><script>alert(1)</script>&'");
  const Ran named = plot({"--db", db, "--rank", "1,2"});
  EXPECT_EQ(named.code, 0) << named.err;
  expect_svg(named.out, {"&lt;script&gt;"});
  EXPECT_EQ(named.out.find("<script"), std::string::npos);
  execute(db, "UPDATE candidate SET formula = 'x''); DROP TABLE trial; --' || id");
  refuses({"plot", "--db", db, "--rank", "1"}, kFailure, {"no formula", "DROP TABLE"});
  execute(db, "UPDATE candidate SET formula = 'beta * x + 0 * ' || id; UPDATE trial SET beta = '[{\"mean\": \"<b>\"}]'");
  refuses({"plot", "--db", db, "--rank", "1"}, kFailure, {"beta statistics"});
}

TEST_F(PlotCommand, WithoutTheFontPngIsRefusedAndSvgIsNot) {
  const std::string configuration = path("fonts.conf");
  std::ofstream(configuration) << "<?xml version=\"1.0\"?><fontconfig><dir>" << path("nowhere") << "</dir><cachedir>" << path("cache")
                               << "</cachedir></fontconfig>";
  setenv("FONTCONFIG_FILE", configuration.c_str(), 1);
  refuses({"plot", "relu", "--out", path("a.png")}, kFailure, {"DejaVu Sans", "fonts-dejavu-core"});
  EXPECT_EQ(plot({"relu"}).code, 0);
  unsetenv("FONTCONFIG_FILE");
  EXPECT_FALSE(std::filesystem::exists(path("a.png")));
}

}  // namespace
}  // namespace actsearch::testing
