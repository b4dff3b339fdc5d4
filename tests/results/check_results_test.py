"""scripts/check_results.py finds what differs, and says what is no comment of its kind."""
import math
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import check_results  # noqa: E402

TABLE = "| function | accuracy % |\n| --- | ---: |\n"
SQL = "<!-- recompute\ndb: some.db\nsql: SELECT name, (100 * avg(accuracy)) || ' ' || count(*) FROM some.trials GROUP BY name ORDER BY 1\n-->\n"


class CheckResults(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        connection = sqlite3.connect(self.directory / "some.db")
        connection.execute("CREATE TABLE trials (name, accuracy)")
        connection.executemany("INSERT INTO trials VALUES (?, ?)", [("relu", 0.7512), ("relu", 0.7534), ("swish", 0.7711)])
        connection.commit()
        connection.close()

    def ran(self, text, *flags):
        page = self.directory / "page.md"
        page.write_text(text, encoding="utf-8")
        return subprocess.run([sys.executable, ROOT / "scripts/check_results.py", *flags, page], capture_output=True, text=True, check=False)

    def passes(self, text):
        ran = self.ran(text)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout

    def differs(self, text, *parts):
        ran = self.ran(text)
        self.assertEqual(ran.returncode, 1, ran.stderr)
        for part in parts:
            self.assertIn(part, ran.stderr)

    def test_a_table_that_shows_what_is_stored(self):
        self.assertIn("1 tables, 4 numbers", self.passes(SQL + TABLE + "| relu | 75.23 (2) |\n| **swish** | 77.1, n = 1 |\n"))

    def test_a_wrong_number_is_named_with_its_line(self):
        self.differs(SQL + TABLE + "| relu | 75.24 (2) |\n| swish | 77.1 (1) |\n", "page.md:7: relu, accuracy %", "75.24", "75.23")

    def test_a_number_is_compared_to_the_digits_that_it_shows(self):
        self.passes(SQL + TABLE + "| relu | 75 (2) |\n| swish | 77.11 (1) |\n")
        self.differs(SQL + TABLE + "| relu | 75.2 (2) |\n| swish | 77.12 (1) |\n", "swish")

    def test_rows_and_numbers_that_are_missing_are_found(self):
        self.differs(SQL + TABLE + "| relu | 75.23 (2) |\n", "the table has 1 rows, the database 2")
        self.differs(SQL + TABLE + "| relu | 75.23 |\n| swish | 77.1 (1) |\n", "relu")

    def test_a_name_in_another_row_is_found(self):
        self.differs(SQL + TABLE + "| gelu | 75.23 (2) |\n| swish | 77.1 (1) |\n", "gelu", "relu")

    def test_a_paragraph_shows_the_numbers_of_its_row(self):
        comment = SQL.replace("recompute", "recompute-text").replace("name, ", "").replace("GROUP BY name ORDER BY 1", "WHERE name = 'relu'")
        self.passes(comment + "ReLU reaches 75.23 % in\n2 trials.\n")
        self.differs(comment + "ReLU reaches 75.3 % in 2 trials.\n", "75.23")

    def test_a_comment_that_makes_no_sense_is_a_mistake(self):
        for text, why in ((SQL.replace("some.db", "absent.db") + TABLE, "no absent.db"), (SQL + "no table\n", "no table follows"),
                          (SQL.replace("avg", "average") + TABLE + "| relu | 1 |\n", "average"), (SQL.replace("sql:", "sq:") + TABLE, "sq:"),
                          (SQL + TABLE.replace("accuracy % |", "accuracy % | n |") + "| relu | 1 | 2 |\n", "3 columns, the sql 2")):
            ran = self.ran(text)
            self.assertEqual(ran.returncode, 2, text)
            self.assertIn(why, ran.stderr)

    def test_minus_signs_ranges_and_bounds(self):
        self.assertEqual([number for number, _ in check_results.numbers_of("−0.11 to +0.28, 1–12, 1,233 and 2e-3")], [-0.11, 0.28, 1, 12, 1233, 2e-3])
        rows = "<!-- recompute\ndb: some.db\nsql: SELECT 'p', 0.00001\n-->\n" + TABLE
        self.passes(rows + "| p | < 0.0001 |\n")
        self.differs(rows + "| p | < 0.000001 |\n", "0.000001")

    def test_statistics_are_those_of_tables(self):
        self.assertAlmostEqual(check_results.t95(1), 12.7062, 4)
        self.assertAlmostEqual(check_results.t95(4), 2.776445, 5)
        self.assertAlmostEqual(check_results.t95(120), 1.97993, 5)
        self.assertAlmostEqual(check_results.t_p(2, 10), 0.0733880, 6)
        self.assertAlmostEqual(check_results.t_p(-6.5, 25), 8.3e-7, 7)
        low, high = check_results.fisher(-1)(0.5, 28), check_results.fisher(+1)(0.5, 28)
        self.assertAlmostEqual(math.atanh(low), math.atanh(0.5) - 1.959964 * (1.125 / 25) ** 0.5, 9)
        self.assertAlmostEqual(math.atanh(high), math.atanh(0.5) + 1.959964 * (1.125 / 25) ** 0.5, 9)
        self.assertAlmostEqual(check_results.chi_squared(0.95, 1), 3.8415, 4)
        self.assertAlmostEqual(check_results.chi_squared(0.025, 19), 8.9065, 4)
        self.assertAlmostEqual(check_results.deviation_end(0.025)(1, 20), (19 / 8.90652) ** 0.5, 5)


if __name__ == "__main__":
    unittest.main()
