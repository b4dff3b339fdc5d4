#!/usr/bin/env python3
"""Recomputes the numbers of Markdown pages from the databases beside them: check_results.py [--program ACTSEARCH] [--all] [PAGE…]

Without a PAGE, those of docs/results and README.md. A comment directly above a table says where its numbers come from:

    <!-- recompute
    db: ten-epochs.db
    sql: SELECT name || '|' || formula, 100 * avg(accuracy), several(min(seed), max(seed)) FROM trials GROUP BY candidate
    -->

    db: FILE …         databases, attached read-only; NAME=FILE gives one a name for SQL. Files are relative to the page.
    csv: NAME=FILE …   CSV files (.gz too), loaded as tables
    answer: COMMAND …  an actsearch command, run with --format csv and loaded as the table `answer`; on the next line another, answer2
    script: NAME.py …  a script of scripts/; its Markdown tables are loaded as table1, table2 …, with columns c1, c2 …
    sql: SELECT …      rows with the table's columns. Without: all of the script's table that has the page's header.
    takes: minutes     it is passed over without --all
    key: N             a row is found by its first N columns (1 if not given)
    measured: REASON   in place of all of these: the numbers are not in the repository

Every row of the page's table must be among the answer's, and every number of a cell must be what the answer has there, to the digits
shown. `several(…)` makes one column of the numbers that a cell shows; NULL in place of a number, or of a column, is not compared. "< 0.001"
wants a smaller number. The view `paired` has the trials of the first database by function and recipe: name, formula, recipe, recipe_id, n,
mean, deviation and half (of the mean's interval) of the accuracy in %. Beside ReLU with the same seeds it has: above and above_half (points),
p (not corrected), won, pairs.
A key's text matches without regard to case, spaces and signs of emphasis: the whole cell, its `code`, or its words before a comma or
parenthesis; the answer can offer several, with | between. result_statistics.py lists what SQL can compute besides.

    <!-- recompute-text
    db: …
    text: leads ReLU by {} points and Swish by {}
    sql: SELECT …
    -->

stands above a paragraph or list, which must have each `text:`; the columns of the answer's one row are the numbers at the {}, in order.

A page, README.md excepted, also says which "numerics version" the trials of its databases are of: the program's number for its arithmetic.

Exit code 1: a number differs, a row is missing, or a comment cannot be followed. At the end each page's counts are printed.
"""
import argparse
import csv
import gzip
import json
import os
import pathlib
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import result_statistics

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = {"recompute": {"db", "csv", "answer", "script", "sql", "key", "takes"}, "recompute-text": {"db", "csv", "answer", "script", "sql", "text", "takes"}}
COMMENT = re.compile(r"<!-- (recompute-text|recompute|measured)\b")
# Not of a name (x2, Swish-1, core1), with a sign only where it is none between two words or numbers.
NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)(?:(?<![\w)%])[-+−]\s?)?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?!(?!(?:st|nd|rd|th)\b)[A-Za-z_])")
PAIRED = """
CREATE TEMP VIEW paired AS
SELECT a.name, a.formula, a.recipe, a.recipe_id, count(*) AS n, 100 * avg(a.accuracy) AS mean, 100 * stdev(a.accuracy) AS deviation,
       100 * half_width(a.accuracy) AS half, 100 * avg(a.accuracy - r.accuracy) AS above, 100 * half_width(a.accuracy - r.accuracy) AS above_half,
       p_value(a.accuracy - r.accuracy) AS p, sum(a.accuracy > r.accuracy) AS won, nullif(count(r.accuracy), 0) AS pairs
FROM trials a LEFT JOIN trials r ON r.name = 'relu' AND a.name <> 'relu' AND r.seed = a.seed AND r.recipe_id = a.recipe_id AND r.status = 'done'
WHERE a.status = 'done' GROUP BY a.candidate, a.recipe_id"""
MARK = "\x01"  # begins a column of several numbers


class Unusable(Exception):
    """A comment cannot be followed; the text says why."""


def several(*values):
    return MARK + json.dumps(values)


def numbers(text):
    """The numbers that a text shows, as (value, digits after the point, whether a bound: '< 0.001')."""
    found = []
    for match in NUMBER.finditer(text):
        shown = re.sub(r"[\s,+]", "", match[0].split("e")[0]).replace("−", "-")
        exponent = int(match[0].split("e")[1]) if "e" in match[0] else 0
        digits = len(shown.partition(".")[2]) - exponent
        found.append((float(shown) * 10.0**exponent, digits, text[: match.start()].rstrip().endswith("<")))
    return found


def agrees(shown, value):
    number, digits, bound = shown
    return value < number if bound else abs(value - number) <= 0.5 * 10.0**-digits + 1e-9


def plain(text):
    """The text without emphasis, spaces and case, in the program's spelling."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", str(text))
    for sign, word in (("−", "-"), ("·", "*"), ("σ", "sigmoid"), ("β", "beta")):
        text = text.replace(sign, word)
    return re.sub(r"[`\s]|\*\*", "", text).lower()


def names(cell):
    """What a cell of text may be called by."""
    whole = re.sub(r"\*\*", "", str(cell))
    parts = [whole, *re.findall(r"`([^`]*)`", whole), *re.findall(r"\((\w+)\)\s*$", whole)]
    parts += [part for part in (whole.split(",")[0], whole.split(" (")[0], whole.split(",")[0].split(" (")[0]) if "`" not in part]
    result = {plain(part) for part in parts}
    return (result | {re.sub(r"[-_]", "", name) for name in result if re.fullmatch(r"[a-z0-9_-]+", name)}) - {""} or {""}


def offered(value):
    """The spellings under which an answer's key is found."""
    parts = (f"{value:g}" if isinstance(value, float) else str("" if value is None else value)).split("|")
    return {spelling for part in parts for spelling in (plain(part), re.sub(r"[-_]", "", plain(part))) if spelling or len(parts) == 1}


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.strip().startswith("|") else None


def tables(lines):
    """The Markdown tables among the lines, as (number of the header's line, header, [(line, cells)])."""
    found, fenced = [], False
    for at, line in enumerate(lines):
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("|") or at + 1 >= len(lines) or not re.fullmatch(r"\|(\s*:?-+:?\s*\|)+\s*", lines[at + 1]):
            continue
        rows = []
        for below in range(at + 2, len(lines)):
            if not lines[below].startswith("|"):
                break
            rows.append((below, cells(lines[below])))
        found.append((at, cells(line), rows))
    return found


def read_comment(kind, lines):
    """{key: text} of a comment's lines; `text` is a list."""
    result, last = {"text": []}, None
    for line in lines:
        key, colon, rest = line.partition(":")
        if colon and key.strip() in KEYS[kind] and not line.startswith(" "):
            last = key.strip()
            if last == "text":
                result["text"].append(rest.strip())
            elif last in result:
                raise Unusable(f"{last}: stands there twice")
            else:
                result[last] = rest.strip()
        elif last and line.startswith(" ") or last == "sql":
            if last == "text":
                result["text"][-1] += " " + line.strip()
            else:
                result[last] += "\n" + line
        elif line.strip():
            raise Unusable(f"not understood: {line.strip()}")
    if kind == "recompute-text" and not (result["text"] and "sql" in result):
        raise Unusable("text: and sql: are wanted")
    if kind == "recompute" and not ("sql" in result or "script" in result):
        raise Unusable("sql: or script: is wanted")
    return result


class Source:
    """Answers of databases, programs and scripts for the pages of one folder. Commands run in a folder with copies, as they may write."""

    def __init__(self, folder, program):
        self.folder, self.program, self.outputs = folder, program, {}

    def file(self, name):
        path = self.folder / name
        if not path.is_file():
            raise Unusable(f"no file {name}")
        return path

    def numerics(self, name):
        """The numerics versions of a database's finished trials, those of a user's own training excepted. None of a file that is not there."""
        if not (self.folder / name).is_file():
            return set()
        connection = sqlite3.connect(f"{self.file(name).resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            texts = connection.execute("SELECT text FROM recipes WHERE recipe_id IN (SELECT recipe_id FROM trials WHERE status = 'done')").fetchall()
        except sqlite3.Error:
            return set()
        finally:
            connection.close()
        return {int((re.search(r" numerics=(\d+)", text) or [0, 1])[1]) for text, in texts if " precision=" in text}

    def output(self, command):
        if command not in self.outputs:
            with tempfile.TemporaryDirectory() as scratch:
                words = shlex.split(command)
                for at, word in enumerate(words):
                    if (self.folder / word).is_file():
                        words[at] = shutil.copy(self.folder / word, scratch)
                if words[0].endswith(".py"):
                    words = [sys.executable, str(ROOT / "scripts" / words[0]), *(str(self.program) if word == "PROGRAM" else word for word in words[1:])]
                else:
                    words = [str(self.program), *words, "--format", "csv"]
                try:
                    done = subprocess.run(words, capture_output=True, text=True, cwd=scratch)
                except OSError as error:
                    raise Unusable(f"{words[0]} does not start: {error.strerror}") from error
                if done.returncode:
                    raise Unusable(f"{command} fails: {done.stderr.strip()}")
                self.outputs[command] = done.stdout
        return self.outputs[command]

    def connect(self, comment):
        connection = sqlite3.connect(":memory:", uri=True)
        connection.create_function("several", -1, several, deterministic=True)
        result_statistics.install(connection)
        for place, word in enumerate(comment.get("db", "").split()):
            name, _, file = word.rpartition("=")
            connection.execute(f"ATTACH ? AS \"{name or f'db{place}'}\"", (f"{self.file(file).resolve().as_uri()}?mode=ro&immutable=1",))
        if "db" in comment:
            connection.execute(PAIRED)
        for word in comment.get("csv", "").split():
            name, _, file = word.partition("=")
            with (gzip.open if file.endswith(".gz") else open)(self.file(file), "rt", newline="") as text:
                load(connection, name, *rows_of(text))
        for place, command in enumerate(filter(None, map(str.strip, comment.get("answer", "").splitlines())), 1):
            load(connection, "answer" if place == 1 else f"answer{place}", *rows_of(self.output(command).splitlines()))
        for place, (_, header, rows) in enumerate(self.script_tables(comment), 1):
            load(connection, f"table{place}", [f"c{k}" for k in range(1, len(header) + 1)], [row for _, row in rows], as_text=True)
        return connection

    def script_tables(self, comment):
        return tables(self.output(comment["script"]).splitlines()) if "script" in comment else []

    def rows(self, comment, header=None):
        """The answer's rows."""
        if "sql" not in comment:
            same = [rows for _, theirs, rows in self.script_tables(comment) if [plain(cell) for cell in theirs] == [plain(cell) for cell in header]]
            if len(same) != 1:
                raise Unusable(f"the script prints {len(same)} tables with this header")
            return [[cell or None for cell in row] for _, row in same[0]]
        try:
            return self.connect(comment).execute(comment["sql"]).fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise Unusable(f"SQL: {error}") from error


def rows_of(text):
    rows = list(csv.reader(text))
    return rows[0], rows[1:]


def load(connection, name, columns, rows, as_text=False):
    connection.execute(f'CREATE TABLE "{name}" ({", ".join(chr(34) + column + chr(34) + ("" if as_text else " NUMERIC") for column in columns)})')
    connection.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})', [[cell if cell != "" else None for cell in row] for row in rows])


def compare(cell, value):
    """What a cell shows that the value is not, as a sentence or None; and how many numbers were compared."""
    if value is None:
        return None, 0
    shown = numbers(re.sub(r"`[^`]*`", "", cell))
    if isinstance(value, str) and not value.startswith(MARK):
        if names(cell) & offered(value):
            return None, len(shown)
        wanted = [number for number, _, _ in numbers(value)]
        if not wanted:
            return f"shows {cell!r}, comes out as {value!r}", 0
    else:
        wanted = json.loads(value[1:]) if isinstance(value, str) else [value]
    if all(number is None for number in wanted):
        return None, 0
    if len(shown) != len(wanted):
        return f"shows {cell!r}, comes out as {' '.join(map(str, wanted))}", 0
    for number, value_of in zip(shown, wanted):
        if value_of is not None and not agrees(number, value_of):
            return f"shows {cell!r}, comes out as {' '.join(map(str, wanted))}", 0
    return None, sum(number is not None for number in wanted)


class Page:
    """The checks of one Markdown file: counts, and what is wrong, as `file:line: sentence`."""

    def __init__(self, file, source, everything=False):
        self.file, self.source, self.everything = file, source, everything
        self.lines = file.read_text().splitlines()
        self.databases = set()
        self.failures, self.tables, self.measured, self.bare, self.texts, self.numbers, self.passed_over, self.skipped = [], 0, 0, 0, 0, 0, 0, 0

    def fail(self, line, sentence):
        self.failures.append(f"{self.file}:{line + 1}: {sentence}")

    def check(self):
        by_line = {at: (header, rows) for at, header, rows in tables(self.lines)}
        told = set()
        at = 0
        while at < len(self.lines):
            opening = COMMENT.match(self.lines[at])
            if not opening:
                at += 1
                continue
            start = end = at
            while end < len(self.lines) and "-->" not in self.lines[end]:
                end += 1
            if end == len(self.lines):
                self.fail(start, "the comment does not end")
                break
            at = end + 1
            while at < len(self.lines) and not self.lines[at].strip():
                at += 1
            try:
                self.follow(opening[1], start, end, at, by_line, told)
            except Unusable as reason:
                self.fail(start, str(reason))
        if self.file.name != "README.md":
            self.check_numerics()
        for line in sorted(set(by_line) - told):
            self.bare += 1
            if self.file.name != "README.md":  # most of whose tables hold no results
                self.fail(line, "a table without a comment that says how to recompute it, or why not (measured:)")
        return self

    def follow(self, kind, start, end, target, by_line, told):
        if kind != "recompute-text":
            if target not in by_line:
                raise Unusable("no table stands below this comment")
            told.add(target)
        body = "\n".join(self.lines[start : end + 1]).split("-->")[0]
        if kind == "measured":
            if not re.match(r"<!-- measured:\s*\S", body):
                raise Unusable("measured: wants a reason")
            self.measured += 1
            return
        comment = read_comment(kind, body.split("\n")[1:])
        words = " ".join(comment.get(key, "") for key in ("db", "answer", "script")).split()
        self.databases |= {name for name in (word.rpartition("=")[2] for word in words) if name.endswith(".db")}
        if "takes" in comment and not self.everything:
            self.skipped += 1
        elif kind == "recompute-text":
            self.check_text(comment, start, target)
        else:
            self.check_table(comment, start, *by_line[target])

    def check_numerics(self):
        phrases = re.findall(r"numerics\s+versions?\s+(\d+(?:(?:,|\s+and)\s+\d+)*)", "\n".join(self.lines))
        said = {int(number) for phrase in phrases for number in re.findall(r"\d+", phrase)}
        for version in sorted(set().union(*map(self.source.numerics, self.databases)) - said):
            self.fail(0, f"does not say that it has trials of numerics version {version}")

    def check_text(self, comment, start, target):
        below = target
        while below < len(self.lines) and self.lines[below].strip():
            below += 1
        paragraph = re.sub(r"\*\*|`", "", " ".join(" ".join(self.lines[target:below]).split()))
        rows = self.source.rows(comment)
        if len(rows) != 1:
            raise Unusable(f"the answer has {len(rows)} rows")
        values = [number for value in rows[0] for number in (json.loads(value[1:]) if isinstance(value, str) and value.startswith(MARK) else [value])]
        if not all(isinstance(value, (int, float)) for value in values):
            raise Unusable(f"the answer holds something that is no number: {values}")
        if len(values) != sum(text.count("{}") for text in comment["text"]):
            raise Unusable(f"the answer has {len(values)} values, the texts have {sum(text.count('{}') for text in comment['text'])} places")
        for text in comment["text"]:
            parts = [re.escape(part) for part in re.sub(r"\*\*|`", "", " ".join(text.split())).split("{}")]
            match = re.search(r"((?:< )?[-+−]?\d[\d,]*(?:\.\d+)?)".join(parts), paragraph)
            wanted, values = values[: len(parts) - 1], values[len(parts) - 1 :]
            if not match:
                self.fail(target, f"not in this paragraph: {text}")
                continue
            for shown, value in zip(match.groups(), wanted):
                if not agrees(numbers(shown.strip().rstrip(","))[0], value):
                    self.fail(target, f"says {match[0]!r}: {shown} comes out as {value}")
            self.numbers += len(wanted)
        self.texts += 1

    def check_table(self, comment, start, header, rows):
        answer = self.source.rows(comment, header)
        keys = int(comment.get("key", 1))
        if not answer or len(answer[0]) != len(header):
            raise Unusable(f"the answer has {len(answer)} rows of {len(answer[0]) if answer else 0} columns, the table has {len(header)} columns")
        for line, row in rows:
            if len(row) != len(header):
                self.fail(line, f"{len(row)} cells under {len(header)} columns")
                continue
            whole = [one for one in answer if all(plain(row[k]) in offered(one[k]) for k in range(keys))]
            same = whole or [one for one in answer if all(names(row[k]) & offered(one[k]) for k in range(keys))]
            if len(same) != 1:
                self.fail(line, f"{' '.join(row[:keys])!r} is {'not' if not same else f'{len(same)} times'} in the answer")
                continue
            for column in range(keys, len(header)):
                wrong, compared = compare(row[column], same[0][column])
                self.numbers += compared
                self.passed_over += 0 if wrong else len(numbers(re.sub(r"`[^`]*`", "", row[column]))) - compared
                if wrong:
                    self.fail(line, f"column {header[column]!r} of {row[0]!r} {wrong}")
        self.tables += 1

    def summary(self):
        return (f"{self.file.name}: {self.tables} tables and {self.texts} paragraphs recomputed, {self.numbers} numbers, {self.passed_over} passed over; "
                f"{self.measured} tables measured elsewhere, {self.skipped} that take minutes passed over, {self.bare} without a comment, {len(self.failures)} failures")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build" / os.environ.get("ACTSEARCH_PRESET", "release") / "actsearch")
    parser.add_argument("--all", action="store_true", help="also what takes minutes")
    parser.add_argument("pages", nargs="*", metavar="PAGE")
    arguments = parser.parse_args()
    files = [pathlib.Path(page) for page in arguments.pages] or [*sorted((ROOT / "docs/results").glob("*.md")), ROOT / "README.md"]
    sources, failures, checked = {}, 0, 0
    index = (ROOT / "docs/results/README.md").read_text()
    for file in files:
        if file.resolve().parent == ROOT / "docs/results" and file.name != "README.md" and f"({file.name})" not in index:
            print(f"FAILED: {file}: docs/results/README.md has no row for this page", file=sys.stderr)
            failures += 1
    for file in files:
        source = sources.setdefault(file.parent.resolve(), Source(file.parent.resolve(), pathlib.Path(arguments.program).resolve()))
        page = Page(file, source, arguments.all).check()
        for failure in page.failures:
            print(f"FAILED: {failure}", file=sys.stderr)
        print(page.summary(), file=sys.stderr)
        failures, checked = failures + len(page.failures), checked + page.numbers
    print(f"check_results: {checked} numbers of {len(files)} pages, {failures} failures", file=sys.stderr)
    sys.exit(1 if failures or not checked else 0)


if __name__ == "__main__":
    main()
