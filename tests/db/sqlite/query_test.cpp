#include <sstream>

#include "db/sqlite/store.h"
#include "tests/db/db_fixture.h"

namespace actsearch::testing {
namespace {

class Query : public SqliteTest {
 protected:
  Query() : db_(open()) { Search(db_).finished("x", 0, accuracy(0.5)); }
  std::string error(const std::string& sql) const {
    return message_of<QueryError>([&] { db_.query(sql); });
  }
  SqliteStore db_;
};

TEST_F(Query, GivesNamesCellsAndWhatIsNumeric) {
  const Table table =
      db_.query("SELECT 1 AS n, 'a' AS text, NULL AS absent, 0.5 AS half, x'0aff' AS bytes UNION ALL SELECT 2, 'b', 3, 'no', x''");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"n", "text", "absent", "half", "bytes"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0], (std::vector<std::optional<std::string>>{"1", "a", std::nullopt, "0.5", "x'0aff'"}));
  EXPECT_EQ(table.rows[1], (std::vector<std::optional<std::string>>{"2", "b", "3", "no", "x''"}));
  EXPECT_EQ(table.numeric, (std::vector<bool>{true, false, true, false, false}));
}

TEST_F(Query, AnInfiniteCellIsNoNumber) { EXPECT_FALSE(db_.query("SELECT 9e999").numeric.at(0)); }

TEST_F(Query, AcceptsWithTrailingSemicolonsAndComments) {
  EXPECT_EQ(cell(db_, "WITH a AS (SELECT formula FROM trials) SELECT * FROM a ; ; -- done\n/* really */ ;"), "x");
  EXPECT_EQ(cell(db_, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT sum(i) FROM n"), "55");
}

TEST_F(Query, RejectsEverythingThatIsNotOneSelect) {
  const std::vector<std::string> rejected = {"",
                                             "   ",
                                             "-- nothing",
                                             ";",
                                             "SELEC 1",
                                             "SELECT * FROM nowhere",
                                             "DELETE FROM trial",
                                             "UPDATE trial SET seed = 5",
                                             "INSERT INTO recipe (name, text) VALUES ('a', 'b')",
                                             "DROP TABLE trial",
                                             "CREATE TABLE t (a)",
                                             "CREATE TEMP TABLE t (a)",
                                             "REPLACE INTO recipe (id, name, text) VALUES (1, 'a', 'b')",
                                             "VACUUM",
                                             "WITH a AS (SELECT 1) DELETE FROM trial",
                                             "SELECT 1; SELECT 2",
                                             "SELECT 1; DELETE FROM trial",
                                             "SELECT 1;;garbage",
                                             "PRAGMA user_version",
                                             "PRAGMA journal_mode = DELETE",
                                             "PRAGMA writable_schema = 1",
                                             "SELECT * FROM pragma_table_info('trial')",
                                             "ATTACH ':memory:' AS other",
                                             "DETACH main",
                                             "BEGIN",
                                             "COMMIT",
                                             "SAVEPOINT s",
                                             "ANALYZE",
                                             "REINDEX",
                                             "EXPLAIN SELECT 1",
                                             "EXPLAIN QUERY PLAN SELECT 1",
                                             "SELECT load_extension('x')",
                                             "SELECT length(zeroblob(1000000000))",
                                             std::string("SELECT 1\0; DELETE FROM trial", 28)};
  for (const auto& sql : rejected) EXPECT_NE(error(sql), "") << sql;
  EXPECT_EQ(cell(db_, "SELECT count(*) FROM trials"), "1");
}

TEST_F(Query, SaysWhatIsWrong) {
  EXPECT_TRUE(contains(error("SELECT nowhere FROM trials"), "no such column: nowhere"));
  EXPECT_TRUE(contains(error("SELECT 1; SELECT 2"), "more than one statement"));
  EXPECT_TRUE(contains(error("DELETE FROM trial"), "only one SELECT"));
  EXPECT_TRUE(contains(error("EXPLAIN SELECT 1"), "only one SELECT"));
  for (const char* const sql : {"SELECT nowhere FROM trials", "SELEC 1", "SELECT * FROM nowhere", "SELECT 1; SELECT 2"})
    EXPECT_FALSE(contains(error(sql), "only one SELECT")) << "which is not what is wrong with it: " << sql;
  EXPECT_TRUE(contains(error("SELECT * FROM nowhere"), "no such table: nowhere; there are candidates, epochs, failures, leaderboard,"));
}

TEST_F(Query, IsBoundedInRows) {
  const std::string endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
  const std::string message = message_of<QueryError>([&] { db_.query(endless, 10); });
  EXPECT_TRUE(contains(message, "more than 10 rows")) << message;
  EXPECT_EQ(db_.query(endless + " LIMIT 10", 10).rows.size(), 10u);
}

TEST_F(Query, EveryViewAndColumnIsDocumented) {
  std::ifstream file(SCHEMA_DOCUMENT);
  std::stringstream text;
  text << file.rdbuf();
  const Table views = db_.query("SELECT name FROM sqlite_schema WHERE type = 'view'");
  ASSERT_FALSE(views.rows.empty());
  for (const auto& view : views.rows) {
    const auto start = text.str().find("### " + *view[0] + "\n");
    ASSERT_NE(start, std::string::npos) << "no section for " << *view[0];
    const std::string section = text.str().substr(start, text.str().find("\n### ", start) - start);
    for (const auto& column : db_.query("SELECT * FROM " + *view[0]).columns) {
      EXPECT_TRUE(contains(section, "`" + column + "`")) << *view[0] << "." << column;
    }
  }
}

}  // namespace
}  // namespace actsearch::testing
