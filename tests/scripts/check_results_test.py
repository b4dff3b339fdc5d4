#!/usr/bin/env python3
"""Tests of scripts/check_results.py and of the statistics that it gives to SQL: each kind of mistake in a page must be found."""
import math
import pathlib
import sqlite3
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import check_results
import family_report
import result_statistics

TABLE = """<!-- recompute
db: scores.db
sql: SELECT name || '|' || formula, 100 * avg(accuracy), several(100 * avg(accuracy), 100 * half_width(accuracy)) FROM trials GROUP BY name
-->
| function | mean % | with its interval |
| --- | ---: | ---: |
| ReLU, `max(x, 0)` | 70.50 | 70.5 ± 2.1 |
| **Swish-1** | 72.00 | 72.0 ± 1.2 |
"""
TEXT = """<!-- recompute-text
db: scores.db
text: ahead of ReLU by {} points
sql: SELECT 100 * ((SELECT avg(accuracy) FROM trials WHERE name = 'swish1') - (SELECT avg(accuracy) FROM trials WHERE name = 'relu'))
-->
After **3** epochs Swish-1 is ahead
of ReLU by 1.50 points.
"""


class Family(unittest.TestCase):
    """Swish's family, by the rule of scripts/family_report.py."""

    def test_gates_from_0_to_a_bound_are_of_it_mirrored_or_not(self):
        for formula in ("x * sigmoid(beta * x)", "sigmoid(-x) * -x", "sigmoid(asinh(x)) * (beta * x)", "0.5 * x * (1 + erf(0.7071067811865476 * x))",
                        "sigmoid(min(x, 0)) * x", "sigmoid(sinh(x)) * x", "x * tanh(softplus(x))"):
            self.assertTrue(family_report.of_the_family(formula), formula)
            self.assertTrue(family_report.of_the_family(formula, wide=True), formula)

    def test_what_jumps_falls_turns_its_sign_or_has_no_bound_is_not(self):
        for formula in ("max(x, 0)", "x", "max(x, 0) * sigmoid(x)", "x - cos(x)", "-(x * sigmoid(x))", "softplus(x) - beta", "sigmoid(x) * asinh(x)",
                        "square(x) * sigmoid(x)", "x * sin(x)", "x / (exp(-x) + 1e-07)", "log(x)", "exp(x)", "x / 0"):
            self.assertFalse(family_report.of_the_family(formula), formula)
            self.assertFalse(family_report.of_the_family(formula, wide=True), formula)

    def test_the_wide_reading_lets_a_gate_begin_above_0_and_overshoot(self):
        for formula in ("sigmoid(atan(x)) * x", "sigmoid(tanh(x)) * (beta * x)", "tanh(x) * softplus(x)"):
            self.assertFalse(family_report.of_the_family(formula), formula)
            self.assertTrue(family_report.of_the_family(formula, wide=True), formula)

    def test_intervals_of_a_share_are_clopper_and_pearsons(self):
        self.assertAlmostEqual(family_report.share(3, 3)[0], 0.025 ** (1 / 3), places=9)
        self.assertEqual(family_report.share(3, 3)[1], 1)
        for got, wanted in zip(family_report.share(4, 10), (0.1215523, 0.7376219)):  # SciPy's beta.ppf(0.025, 4, 7) and (0.975, 5, 6)
            self.assertAlmostEqual(got, wanted, places=6)


class Pages(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        connection = sqlite3.connect(self.folder / "scores.db")
        connection.execute("CREATE TABLE trials (name TEXT, formula TEXT, candidate INT, recipe TEXT, recipe_id INT, seed INT, status TEXT, accuracy REAL)")
        rows = [("relu", "max(x, 0)", 1, [0.70, 0.70, 0.71, 0.73, 0.685]), ("swish1", "x * sigmoid(x)", 2, [0.71, 0.715, 0.73, 0.73, 0.715])]
        connection.executemany("INSERT INTO trials VALUES (?, ?, ?, 'r', 1, ?, 'done', ?)",
                               [(name, formula, k, seed, score) for name, formula, k, scores in rows for seed, score in enumerate(scores)])
        connection.commit()
        connection.close()

    def check(self, text, name="page.md"):
        page = self.folder / name
        page.write_text(text)
        return check_results.Page(page, check_results.Source(self.folder, "no-program")).check()

    def expect(self, text, sentence):
        failures = self.check(text).failures
        self.assertTrue(any(sentence in failure for failure in failures), failures)

    def test_a_right_table_passes_and_its_numbers_are_counted(self):
        page = self.check(TABLE)
        self.assertEqual(page.failures, [])
        self.assertEqual((page.tables, page.numbers, page.passed_over), (1, 6, 0))

    def test_a_wrong_number_is_named_with_its_line_and_column(self):
        self.expect(TABLE.replace("| 72.00 |", "| 72.01 |"), "page.md:8: column 'mean %' of '**Swish-1**' shows '72.01', comes out as 72.0")

    def test_a_wrong_interval_is_found(self):
        self.expect(TABLE.replace("± 1.2", "± 1.1"), "column 'with its interval'")

    def test_a_wrong_last_digit_is_found_where_more_digits_stand(self):
        self.expect(TABLE.replace("| 72.00 |", "| 72.0001 |"), "shows '72.0001'")

    def test_a_wrong_sign_is_found(self):
        self.expect(TABLE.replace("| 72.00 |", "| −72.00 |"), "shows '−72.00'")

    def test_a_number_too_many_or_too_few_is_found(self):
        self.expect(TABLE.replace("± 1.2", "± 1.2 (n = 5)"), "with its interval")
        self.expect(TABLE.replace(" ± 1.2", ""), "with its interval")
        self.expect(TABLE.replace("| 72.00 |", "| |"), "shows ''")

    def test_a_page_says_which_numerics_version_its_trials_are_of(self):
        connection = sqlite3.connect(self.folder / "scores.db")
        connection.execute("CREATE TABLE recipes (recipe_id INT, text TEXT)")
        for text, versions in (("vgg precision=bf16 data=x", [1]), ("vgg precision=bf16 numerics=3 data=x", [3]), ("vgg data=x", [])):
            connection.execute("DELETE FROM recipes")
            connection.execute("INSERT INTO recipes VALUES (1, ?)", (text,))
            connection.execute("INSERT INTO recipes VALUES (2, 'vgg precision=bf16 numerics=9')")  # without a trial
            connection.commit()
            sentences = [f"does not say that it has trials of numerics version {version}" for version in versions]
            self.assertEqual([failure.partition(": ")[2] for failure in self.check(TABLE).failures], sentences)
            self.assertEqual(self.check(TABLE + "\nCommit a, numerics\nversions 1, 2 and 3, bf16.\n").failures, [])
        connection.close()

    def test_a_row_that_the_answer_lacks_is_found(self):
        self.expect(TABLE + "| GELU | 72.00 | 72.0 ± 1.2 |\n", "'GELU' is not in the answer")

    def test_a_row_that_fits_two_answers_is_found(self):
        self.expect(TABLE.replace("GROUP BY name", "GROUP BY name, seed"), "times in the answer")

    def test_wrong_text_in_a_cell_is_found(self):
        text = TABLE.replace("several(100 * avg(accuracy), 100 * half_width(accuracy))", "formula").replace("70.5 ± 2.1", "`max(x, 0)`")
        self.expect(text.replace("72.0 ± 1.2", "`x`"), "shows '`x`'")
        self.assertEqual(self.check(text.replace("72.0 ± 1.2", "`x·σ(x)`")).failures, [])

    def test_a_bound_wants_a_smaller_number(self):
        text = TABLE.replace("several(100 * avg(accuracy), 100 * half_width(accuracy))", "min(accuracy) / 1000")
        text = text.replace("70.5 ± 2.1", "< 0.0007").replace("72.0 ± 1.2", "< 0.0008")
        self.assertEqual(self.check(text).failures, [])
        self.expect(text.replace("< 0.0008", "< 0.0007"), "shows '< 0.0007'")

    def test_what_is_null_is_passed_over_and_counted(self):
        page = self.check(TABLE.replace("100 * avg(accuracy), several", "NULL, several"))
        self.assertEqual((page.failures, page.passed_over), ([], 2))

    def test_a_table_without_a_comment_is_found(self):
        self.expect(TABLE.split("-->\n")[1], "a table without a comment")

    def test_a_comment_that_is_parted_from_its_table_is_found(self):
        self.expect(TABLE.replace("-->\n", "-->\nA sentence.\n\n"), "no table stands below")

    def test_broken_comments_are_found(self):
        self.expect(TABLE.replace("sql: SELECT", "sql: SELEKT"), "SQL:")
        self.expect(TABLE.replace("sql: SELECT", "sqll: SELECT"), "not understood")
        self.expect(TABLE.replace("db: scores.db", "db: scores.db\ndb: scores.db"), "twice")
        self.expect(TABLE.replace("scores.db", "none.db"), "no file none.db")
        self.expect(TABLE.replace("-->", ""), "does not end")
        self.expect(TABLE.replace("SELECT name || '|' || formula,", "SELECT"), "columns")
        self.expect("<!-- recompute\ndb: scores.db\n-->\n" + TABLE.split("-->\n")[1], "sql: or script: is wanted")

    def test_measured_wants_a_reason(self):
        table = TABLE.split("-->\n")[1]
        self.assertEqual(self.check("<!-- measured: by a clock -->\n" + table).failures, [])
        self.expect("<!-- measured: -->\n" + table, "wants a reason")

    def test_a_paragraph_is_compared_at_the_places_that_its_text_names(self):
        page = self.check(TEXT)
        self.assertEqual((page.failures, page.texts, page.numbers), ([], 1, 1))
        self.expect(TEXT.replace("by 1.50 points", "by 1.51 points"), "1.51 comes out as 1.5")
        self.expect(TEXT.replace("by 1.50 points", "by 3 points"), "3 comes out as 1.5")

    def test_a_paragraph_that_says_something_else_is_found(self):
        self.expect(TEXT.replace("\nof ReLU by", "\nof GELU by"), "not in this paragraph")
        self.expect(TEXT.replace("by {} points", "by {} to {} points"), "places")
        self.expect(TEXT.replace("sql: SELECT", "sql: SELECT 1 UNION SELECT"), "2 rows")
        self.expect(TEXT.replace("'swish1'", "'swish9'"), "no number")

    def test_the_view_of_pairs_is_that_of_the_same_seeds(self):
        source = check_results.Source(self.folder, "no-program")
        rows = source.rows({"db": "scores.db", "sql": "SELECT name, n, mean, above, won, pairs FROM paired ORDER BY name"})
        self.assertEqual(rows[0][3:], (None, None, None))
        self.assertEqual((rows[1][0], rows[1][1], rows[1][4], rows[1][5]), ("swish1", 5, 4, 5))
        self.assertAlmostEqual(rows[1][3], 1.5)

    def test_csv_files_are_tables(self):
        (self.folder / "runs.csv").write_text("name,seconds\nrelu,1.5\nrelu,\n")
        rows = check_results.Source(self.folder, "").rows({"csv": "runs=runs.csv", "sql": "SELECT name, avg(seconds) FROM runs"})
        self.assertEqual(rows, [("relu", 1.5)])

    def test_a_program_that_fails_or_is_not_there_is_named(self):
        for program, sentence in (("/bin/false", "leaderboard fails"), ("/no/program", "does not start")):
            with self.assertRaisesRegex(check_results.Unusable, sentence):
                check_results.Source(self.folder, program).rows({"answer": "leaderboard", "sql": "SELECT 1"})


class Numbers(unittest.TestCase):
    def test_numbers_of_a_cell(self):
        for text, wanted in {
            "77.4 ± 0.5": [77.4, 0.5],
            "+0.66 (+0.47 to +0.85)": [0.66, 0.47, 0.85],
            "−0.06 (−1.28 to +1.16)": [-0.06, -1.28, 1.16],
            "-0.31 to +0.27": [-0.31, 0.27],
            "1–12": [1, 12],
            "1-12": [1, 12],
            "24 of 26": [24, 26],
            "3,733 of 6,250": [3733, 6250],
            "9, 8, 5": [9, 8, 5],
            "85th of 502": [85, 502],
            "Swish-1, core1, x2": [],
            "2.4e-05": [2.4e-05],
        }.items():
            self.assertEqual([round(number, 12) for number, _, _ in check_results.numbers(text)], wanted, text)


class Statistics(unittest.TestCase):
    """Against published tables of quantiles, and closed forms where there are few degrees of freedom."""

    def test_students_t(self):
        for p, degrees, wanted in ((0.975, 1, 12.7062047), (0.975, 4, 2.7764451), (0.975, 25, 2.0595386), (0.9, 2, 1.8856181), (0.025, 4, -2.7764451)):
            self.assertAlmostEqual(result_statistics.t_quantile(p, degrees), wanted, 6)
        self.assertAlmostEqual(result_statistics.t_p_value(2.0, 10), 0.07338803, 7)
        for t in (0.01, 0.3, 1.0, 5.0, 300.0):
            self.assertAlmostEqual(result_statistics.t_p_value(t, 1) / (2 / math.pi * math.atan(1 / t)), 1, 10)
            self.assertAlmostEqual(result_statistics.t_p_value(t, 2), 1 - t / math.sqrt(2 + t * t), 12)

    def test_the_studentized_range(self):
        for means, degrees, wanted in ((3, 10, 3.877), (10, 20, 5.008)):
            self.assertAlmostEqual(result_statistics.studentized_range_quantile(0.95, means, degrees), wanted, 3)

    def test_chi_square(self):
        self.assertAlmostEqual(result_statistics.chi_square_quantile(0.025, 19), 8.9065165, 6)
        self.assertAlmostEqual(result_statistics.chi_square_quantile(0.975, 19), 32.8523269, 6)

    def test_holm(self):
        every = "[0.01, 0.04, 0.03, null, 0.005]"
        corrected = [result_statistics.holm(p, every) for p in (0.01, 0.04, 0.03, 0.005)]
        for ours, wanted in zip(corrected, (0.03, 0.06, 0.06, 0.02)):
            self.assertAlmostEqual(ours, wanted)
        self.assertIsNone(result_statistics.holm(None, every))

    def test_fishers_interval(self):
        self.assertAlmostEqual(result_statistics.fisher(0.5, 28, 1), math.tanh(math.atanh(0.5) + 1.959964 / 5))

    def test_aggregates_skip_nulls_and_want_enough(self):
        connection = sqlite3.connect(":memory:")
        result_statistics.install(connection)
        query = "SELECT stdev(x), p_value(x), spearman(x, y) FROM (VALUES (1.0, 3.0), (2.0, 5.0), (3.0, 4.0), (NULL, 9.0)) AS v"
        deviation, p, rho = connection.execute(query.replace("FROM (VALUES", "FROM (SELECT column1 AS x, column2 AS y FROM (VALUES").replace(") AS v", "))")).fetchone()
        self.assertAlmostEqual(deviation, 1)
        self.assertAlmostEqual(p, 0.07417990, 7)
        self.assertAlmostEqual(rho, 0.5)
        self.assertEqual(connection.execute("SELECT half_width(x) FROM (SELECT 1 AS x)").fetchone(), (None,))


if __name__ == "__main__":
    unittest.main()
