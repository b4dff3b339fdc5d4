#!/usr/bin/env python3
"""Recomputes the numbers of docs/results from the databases beside them: scripts/check_results.py [--program FILE] [PAGE ...]

A table whose numbers come from stored trials says in a comment above it how they do:

    <!-- recompute
    db: ten-epochs.db
    sql: SELECT formula, 100 * avg(accuracy), count(*) FROM ten_epochs.trials GROUP BY formula ORDER BY 2 DESC
    -->

db      databases of the page's directory, attached under their names with _ for what is no letter or digit
answer  a command of the program, such as `leaderboard --db ten-epochs.db --compare relu`; its CSV is the table `answer`
sql     one row for each row of the table, in its order, and one column for each of its columns

Every number that a cell shows is compared, to the digits that it shows: "77.4 ± 0.5" holds two. SQL gives several as a text with blanks
between them. NULL stands for a cell that is not compared, a text without a number for what stands there. With `recompute-text` in place of
`recompute` each number of the only row must stand in the paragraph or list item below.

SQL has deviation(x), the standard deviation of a sample; spearman(x, y); t95(df), Student's t for 95 %; t_p(t, df), two-sided; fisher_low(r, n) and
fisher_high(r, n), the 95 % interval of a rank correlation; deviation_low(s, n) and deviation_high(s, n), that of a standard deviation. The exit code is 1 if a number differs, 2 if a comment makes no sense.
"""
import argparse
import csv
import math
import pathlib
import re
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from early_report import spearman  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMENT = re.compile(r"^<!-- (recompute|recompute-text)\n(.*?)^-->\n", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[+\u2212-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


class Mistake(Exception):
    """A comment that makes no sense."""


def incomplete_beta(a, b, x):
    """The regularised incomplete beta function, by its continued fraction (W. H. Press et al., Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(1 - x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 500):
        for step in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / (1 + step * d or tiny)
            c = 1 + step / c or tiny
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return front * value


def t_p(t, degrees):
    """Two-sided p of Student's t."""
    return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))


def t95(degrees):
    low, high = 0.0, 1000.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (middle, high) if t_p(middle, degrees) > 0.05 else (low, middle)
    return low


class Deviation:
    def __init__(self):
        self.values = []

    def step(self, value):
        if value is not None:
            self.values.append(value)

    def finalize(self):
        return statistics.stdev(self.values) if len(self.values) > 1 else None


class Spearman:
    def __init__(self):
        self.pairs = []

    def step(self, x, y):
        if x is not None and y is not None:
            self.pairs.append((x, y))

    def finalize(self):
        return spearman(*zip(*self.pairs)) if len(self.pairs) > 2 else None


def fisher(sign):
    """An end of the 95 % interval of a rank correlation, by Fisher's z with Spearman's larger variance (Bonett and Wright, 2000)."""
    return lambda r, n: math.tanh(math.atanh(r) + sign * 1.959964 * math.sqrt((1 + r * r / 2) / (n - 3)))


def chi_squared(share, degrees):
    """The quantile of a chi-squared variable."""
    def below(x):  # the regularised incomplete gamma function, by its series
        term = total = 1 / (degrees / 2)
        for k in range(1, 10_000):
            term *= (x / 2) / (degrees / 2 + k)
            total += term
            if term < total * 1e-15:
                break
        return total * math.exp(-x / 2 + degrees / 2 * math.log(x / 2) - math.lgamma(degrees / 2))

    low, high = 0.0, 10.0 * degrees + 100
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return low


def deviation_end(share):
    """An end of the 95 % interval of a standard deviation of n values."""
    return lambda deviation, n: deviation * math.sqrt((n - 1) / chi_squared(share, n - 1))


def connected():
    connection = sqlite3.connect(":memory:", uri=True)
    connection.create_aggregate("deviation", 1, Deviation)
    connection.create_aggregate("spearman", 2, Spearman)
    for name, arguments, function in (("t95", 1, t95), ("t_p", 2, t_p), ("fisher_low", 2, fisher(-1)), ("fisher_high", 2, fisher(+1)),
                                      ("deviation_low", 2, deviation_end(0.975)), ("deviation_high", 2, deviation_end(0.025)), ("sqrt", 1, math.sqrt)):
        connection.create_function(name, arguments, function, deterministic=True)
    return connection


def numbers_of(text):
    """The numbers of a text, each with the digits behind its point."""
    found = []
    for match in NUMBER.finditer(text):
        digits = match.group().replace("\u2212", "-").replace(",", "")
        found.append((float(digits), len(digits.split(".")[1].split("e")[0]) if "." in digits else 0))
    return found


def plain(text):
    return re.sub(r"`|\*\*", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)).strip()


def shows(shown, value):
    number, digits = shown
    return abs(number - value) <= 0.5 * 10 ** -digits * (1 + 1e-6) + 1e-12


class Answer:
    """What a comment's SQL gives."""

    def __init__(self, fields, directory, program):
        with tempfile.TemporaryDirectory() as scratch:
            connection = connected()
            for name in fields.get("db", "").split():
                file = directory / name
                if not file.is_file():
                    raise Mistake(f"there is no {name}")
                connection.execute(f"ATTACH 'file:{file}?mode=ro&immutable=1' AS {re.sub('[^A-Za-z0-9]', '_', file.stem)}")
            if "answer" in fields:
                self.load(connection, fields["answer"], directory, program, scratch)
            if "sql" not in fields:
                raise Mistake("there is no sql")
            try:
                self.rows = connection.execute(fields["sql"]).fetchall()
            except (sqlite3.Error, ValueError) as error:
                raise Mistake(str(error)) from error

    @staticmethod
    def load(connection, command, directory, program, scratch):
        words = shlex.split(command)
        for i, word in enumerate(words):
            if (directory / word).is_file():
                copy = pathlib.Path(scratch) / word
                copy.write_bytes((directory / word).read_bytes())
                words[i] = str(copy)
        ran = subprocess.run([program, *words, "--format", "csv"], capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise Mistake(f"{command}: {ran.stderr.strip()}")
        header, *rows = csv.reader(ran.stdout.splitlines())
        connection.execute("CREATE TABLE answer (place INTEGER, " + ", ".join(f'"{name}"' for name in header) + ")")
        value = lambda cell: None if cell == "" else float(cell) if re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell) else cell  # noqa: E731
        for place, row in enumerate(rows, 1):
            connection.execute(f"INSERT INTO answer VALUES (?{', ?' * len(header)})", [place, *map(value, row)])


class Page:
    def __init__(self, path, program):
        self.path, self.program = path, program
        self.text = path.read_text(encoding="utf-8")
        self.wrong, self.tables, self.numbers = [], 0, 0

    def check(self):
        for match in COMMENT.finditer(self.text):
            line = self.text.count("\n", 0, match.end()) + 1
            fields = {}
            for entry in re.split(r"\n(?=\w+: )", match.group(2).strip()):
                key, _, value = entry.partition(":")
                if key not in ("db", "answer", "sql"):
                    raise Mistake(f"{self.path}:{line}: {key}: is no part of such a comment")
                fields[key] = " ".join(value.split())
            try:
                answer = Answer(fields, self.path.parent, self.program)
                below = re.match(r"\n*((?:.+\n?)*)", self.text[match.end():]).group(1).rstrip("\n").split("\n")
                (self.table if match.group(1) == "recompute" else self.paragraph)(line, below, answer.rows)
            except Mistake as mistake:
                raise Mistake(f"{self.path}:{line}: {mistake}") from mistake

    def differs(self, line, what, shown, value):
        self.wrong.append(f"{self.path}:{line}: {what}: the page has {shown}, the database {value}")

    def table(self, line, below, rows):
        body = [row for row in below if row.startswith("|")]
        if len(body) < 3:
            raise Mistake("no table follows")
        headers = [plain(cell) for cell in body[0].strip("|").split("|")]
        body = body[2:]
        self.tables += 1
        if len(rows) != len(body):
            self.wrong.append(f"{self.path}:{line}: the table has {len(body)} rows, the database {len(rows)}")
        for i, (row, values) in enumerate(zip(body, rows)):
            cells = [plain(cell) for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]
            if len(cells) != len(values):
                raise Mistake(f"the table has {len(cells)} columns, the sql {len(values)}")
            for header, cell, value in zip(headers, cells, values):
                self.cell(line + 2 + i, f"{cells[0]}, {header}", cell, value)

    def cell(self, line, what, cell, value):
        if value is None:
            return
        if isinstance(value, str) and not NUMBER.search(value) or isinstance(value, str) and value.startswith("="):
            if plain(value.lstrip("=")) != cell:
                self.differs(line, what, cell, value)
            return
        wanted = [number for number, _ in numbers_of(value)] if isinstance(value, str) else [value]
        shown = numbers_of(cell)
        self.numbers += len(wanted)
        if len(shown) != len(wanted):
            self.differs(line, what, cell, value)
        elif cell.startswith("<"):
            if wanted[0] >= shown[0][0]:
                self.differs(line, what, cell, value)
        elif not all(shows(*pair) for pair in zip(shown, wanted)):
            self.differs(line, what, cell, value)

    def paragraph(self, line, below, rows):
        if len(rows) != 1:
            raise Mistake(f"the sql gives {len(rows)} rows, where one is expected")
        shown = numbers_of(plain(" ".join(below)))
        for value in rows[0]:
            for number in [number for number, _ in numbers_of(value)] if isinstance(value, str) else [value]:
                self.numbers += 1
                if not any(shows(one, number) for one in shown):
                    self.wrong.append(f"{self.path}:{line}: the database has {number}, which the paragraph does not show")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/actsearch"))
    parser.add_argument("pages", nargs="*", type=pathlib.Path, default=sorted((ROOT / "docs/results").glob("*.md")))
    arguments = parser.parse_args()
    wrong = []
    try:
        for path in arguments.pages:
            page = Page(path, arguments.program)
            page.check()
            wrong += page.wrong
            print(f"{path.name}: {page.tables} tables, {page.numbers} numbers" + (f", {len(page.wrong)} differ" if page.wrong else ""))
    except Mistake as mistake:
        print(f"check_results: {mistake}", file=sys.stderr)
        return 2
    for one in wrong:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
