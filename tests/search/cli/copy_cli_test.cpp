// actsearch copy and actsearch merge, as people run them.

#include <sys/stat.h>

#include "db/sqlite/connection.h"
#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

class Copies : public CommandLine {
 protected:
  /// A file in docs/results, copied into the test's directory.
  std::string published(const std::string& name) const {
    std::filesystem::copy_file(std::filesystem::path(ACTSEARCH_SOURCE_DIR) / "docs/results" / name, path(name));
    return path(name);
  }
  /// A file with one study: accuracies of x, by seed.
  std::string study(const std::string& name, const std::vector<std::pair<std::uint64_t, double>>& trials) const {
    SqliteStore store(path(name), Store::Access::kCreate);
    const Id study = store.study({"search", "core1", "random", 1, "vgg-s …", "synthetic", "{}", "abc123", "a machine"});
    const Id recipe = store.recipe("vgg-s", "vgg-s fp32"), x = store.candidate({"fingerprint of x", "x", "identity", 0});
    for (const auto& [seed, accuracy] : trials) {
      Claim claim;
      store.claim(study, x, recipe, seed, std::chrono::seconds(600), &claim);
      TrialRecord result;
      result.validation_accuracy = accuracy;
      result.seconds = static_cast<double>(claim.trial);  // which makes no conflict
      store.finish(claim.trial, result, {});
    }
    return path(name);
  }
  Ran succeeds(const std::vector<std::string>& words) const {
    Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << words.front() << ": " << ran.err;
    return ran;
  }
  std::string leaderboard(const std::string& db, const std::string& format) const {
    const Ran ran = succeeds({"leaderboard", "--db", db, "--format", format, "--top", "1000"});
    return ran.out + ran.err;
  }
  static void sql(const std::string& db, const std::string& script) {
    sqlite::Connection(db, sqlite::Connection::Mode::kCreate, std::chrono::seconds(1)).execute(script);
  }
};

TEST_F(Copies, ACopyHasTheLeaderboardOfItsSourceToTheByte) {
  for (const std::string& source : {filled_database(), published("panel.db"), published("vgg16-bn-mxnet.db")}) {
    const std::string copy = path("copy of " + std::filesystem::path(source).filename().string());
    EXPECT_EQ(succeeds({"copy", "--from", source, "--to", copy}).out, "");
    for (const char* const format : {"table", "csv", "json"}) EXPECT_EQ(leaderboard(copy, format), leaderboard(source, format)) << source;
    const Ran again = succeeds({"copy", "--from", source, "--to", copy});
    EXPECT_NE(again.err.find(" trials, of which 0 new, 0 further than in the target, "), std::string::npos) << again.err;
    EXPECT_NE(again.err.find(" there already, 0 in conflict\n"), std::string::npos) << again.err;
    EXPECT_EQ(leaderboard(copy, "csv"), leaderboard(source, "csv"));
  }
}

TEST_F(Copies, AMergeCountsNothingTwiceAndNamesConflicts) {
  const std::string one = study("one.db", {{0, 0.5}, {1, 0.6}}), two = study("two.db", {{1, 0.6}, {2, 0.7}, {0, 0.51}});
  const std::vector<std::string> merge{"merge", "--to", path("all.db"), one, two};
  const Ran first = succeeds(merge);
  const std::string gap(two.size() - 4, ' ');
  EXPECT_EQ(first.out, "formula  seed  kept  other  differs              source" + gap +
                           "recipe\n"
                           "x           0  50    51     validation_accuracy  " +
                           two + "  vgg-s\n");
  EXPECT_NE(first.err.find(one + ": 2 trials, of which 2 new, 0 further than in the target, 0 there already, 0 in conflict\n"),
            std::string::npos)
      << first.err;
  EXPECT_NE(first.err.find(two + ": 3 trials, of which 1 new, 0 further than in the target, 1 there already, 1 in conflict\n"),
            std::string::npos)
      << first.err;
  const std::string ranked = leaderboard(path("all.db"), "csv");
  EXPECT_NE(ranked.find("ranked: 3 trials"), std::string::npos) << ranked;
  std::vector<std::string> as_csv = merge;
  as_csv.insert(as_csv.end(), {"--format", "csv"});
  EXPECT_EQ(succeeds(as_csv).out, "formula,seed,kept,other,differs,source,recipe\nx,0,50,51,validation_accuracy," + two + ",vgg-s fp32\n");
  EXPECT_EQ(leaderboard(path("all.db"), "csv"), ranked);
  EXPECT_EQ(succeeds({"merge", "--to", path("none.db"), one, "--format", "json"}).out, "[]\n");
}

TEST_F(Copies, SourcesAreOnlyReadAndMayBeOlder) {
  const std::string source = published("core1-grid.db");
  const auto bytes = [&] { return read_text(source); };
  const std::string before = bytes();
  chmod(source.c_str(), 0444);
  succeeds({"copy", "--from", source, "--to", path("copy.db")});
  EXPECT_TRUE(bytes() == before);
}

TEST_F(Copies, WhatCannotBeCopiedIsSaidAndNothingIsMade) {
  const std::string source = study("a.db", {{0, 0.5}}), target = path("new.db"), newer = study("newer.db", {}), other = path("other.db");
  sql(newer, "PRAGMA user_version = 1000");
  sql(other, "CREATE TABLE notes (text)");
  std::ofstream(path("empty.db")).flush();
  std::filesystem::create_symlink(source, path("link.db"));
  refuses({"copy", "--to", target}, kUsage, {"--from is required"});
  refuses({"copy", "--from", source}, kUsage, {"--to is required"});
  refuses({"copy", "--from", path("absent.db"), "--to", target}, kFailure, {"absent.db: there is no such file"});
  refuses({"copy", "--from", path("empty.db"), "--to", target}, kFailure, {"is empty"});
  refuses({"copy", "--from", other, "--to", target}, kFailure, {"not one of actsearch"});
  refuses({"copy", "--from", newer, "--to", target}, kFailure, {"newer actsearch (schema version 1000"});
  refuses({"copy", "--from", source, "--to", source}, kUsage, {"both source and target"});
  refuses({"copy", "--from", source, "--to", path("link.db")}, kUsage, {"both source and target"});
  refuses({"copy", "--from", source, "--to", other}, kFailure, {"other.db: is an SQLite database, but not one of actsearch"});
  refuses({"copy", "--from", source, "--to", newer}, kFailure, {"newer.db: was written by a newer actsearch"});
  refuses({"copy", "--from", source, "--to", path("no/new.db")}, kFailure, {"there is no directory"});
  refuses({"copy", "--from", source, "--to", directory_.path()}, kFailure, {"is a directory"});
  refuses({"merge", "--to", target}, kUsage, {"the databases to merge are expected"});
  refuses({"merge", source}, kUsage, {"--to is required"});
  refuses({"merge", "--to", target, source, path("absent.db")}, kFailure, {"absent.db: there is no such file"});
  refuses({"merge", "--to", source, newer, source}, kFailure, {"newer"});
  refuses({"copy", "--from", source, "--to", target, "--format", "xml"}, kUsage, {"no 'xml'"});
}

}  // namespace
}  // namespace actsearch::testing
