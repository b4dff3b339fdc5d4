// The published databases in docs/results, which older versions of the program have written: they open, and rank as they did.

#include <set>

#include "db/sqlite/store.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

using Sort = LeaderboardQuery::Sort;

class Results : public SqliteTest {
 protected:
  /// A copy, for a database that is read has files beside it.
  SqliteStore published(const std::string& name) const {
    const auto copy = directory_ / name;
    std::filesystem::copy_file(std::filesystem::path(RESULTS) / name, copy, std::filesystem::copy_options::overwrite_existing);
    return {copy, Store::Access::kReadOnly};
  }
  static std::string fingerprint(const Store& db, const std::string& name) {
    return cell(db, "SELECT fingerprint FROM candidates WHERE name = '" + name + "'");
  }
};

std::vector<std::string> databases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(RESULTS)) {
    if (entry.path().extension() == ".db") names.push_back(entry.path().filename().string());
  }
  return names;
}

TEST_F(Results, TheViewsRankEachOfThemAsTheLeaderboardDoes) {
  ASSERT_GE(databases().size(), 5u);
  for (const std::string& name : databases()) {
    const SqliteStore db = published(name);
    const auto ranked = db.ranked_recipe(std::nullopt);
    for (const auto& recipe : db.query("SELECT recipe_id, text FROM recipes").rows) {
      const Table view = db.query("SELECT formula, bound FROM standings WHERE recipe_id = " + recipe[0].value() + " ORDER BY rank");
      const auto rows = db.leaderboard({.recipe = recipe[1], .top = 1'000'000, .sort = Sort::kLowerBound});
      ASSERT_EQ(view.rows.size(), rows.size()) << name;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        ASSERT_EQ(view.rows[i][0], rows[i].formula) << name << ", rank " << i + 1;
        ASSERT_EQ(view.rows[i][1].has_value(), rows[i].bound.has_value());
        if (!rows[i].bound) continue;
        EXPECT_NEAR(std::stod(*view.rows[i][1]), *rows[i].bound, 1e-12);
      }
      const bool ranks = ranked && *recipe[1] == ranked->text;
      EXPECT_EQ(cell(db, "SELECT count(*) FROM leaderboard WHERE recipe_id = " + recipe[0].value()),
                std::to_string(ranks ? rows.size() : 0))
          << name << ": the view leaderboard has the conditions that the leaderboard ranks, and no others";
    }
  }
}

TEST_F(Results, ReluHasOneRankInTheLeaderboardThoughTheFileHasSeveralConditions) {
  const SqliteStore db = published("core1.db");
  EXPECT_EQ(cell(db, "SELECT count(*) FROM leaderboard WHERE name = 'relu'"), "1");
  EXPECT_EQ(cell(db, "SELECT count(*) FROM standings WHERE name = 'relu'"), "2");
}

TEST_F(Results, TheVerdictOnGeluDoesNotDependOnWhatIsShown) {
  const SqliteStore db = published("cpu-proxy.db");
  std::set<std::pair<double, double>> verdicts;
  for (const int top : {1, 3, 8, 20, 1000}) {
    for (const LeaderboardRow& row : db.leaderboard({.top = top, .sort = Sort::kLowerBound, .reference = fingerprint(db, "relu")})) {
      if (row.name == "gelu") verdicts.emplace(row.compared.value().p_alone, row.compared.value().p);
    }
  }
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_GT(verdicts.begin()->second, verdicts.begin()->first) << "corrected for all sixteen that have several seeds";
}

}  // namespace
}  // namespace actsearch::testing
