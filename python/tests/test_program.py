"""The package and the program on one file. ACTSEARCH_PREBUILT names the program's build folder; CTest sets it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

import actsearch
from actsearch import Answer
from conftest import make_study

BUILD = os.environ.get("ACTSEARCH_PREBUILT")
PROGRAM = None if BUILD is None else pathlib.Path(BUILD) / "actsearch"
pytestmark = pytest.mark.skipif(PROGRAM is None or not PROGRAM.exists(), reason="ACTSEARCH_PREBUILT names no folder with the program")


def program(*words):
    result = subprocess.run([str(PROGRAM), *map(str, words)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_they_ask_for_the_same_study_and_tell_of_each_others_trials(tmp_path):
    file = tmp_path / "own.db"
    plan = ["--conditions", "resnet20 on my data, train.py v3", "--epochs", 10, "--strategy", "exhaustive"]
    (asked,) = json.loads(program("ask", "--db", file, *plan, "--format", "json"))
    study = make_study(file)
    assert [row.formula for row in study.out()] == [asked["formula"]]
    (ours,) = study.ask()
    assert ours.formula.text != asked["formula"]
    assert study.trial(asked["trial"]).tell(0.5) is Answer.STORED
    assert program("tell", "--db", file, "--trial", ours.id, "--score", 0.6) == "stored\n"
    assert ours.tell(0.6) is Answer.ALREADY_TOLD
    ranked = json.loads(program("leaderboard", "--db", file, "--format", "json"))
    assert [row["formula"] for row in ranked] == [row.formula for row in study.leaderboard()]
    assert [row["accuracy %"] for row in ranked] == pytest.approx([60, 50])


def test_a_metric_that_is_minimised_is_read_as_it_was_told(tmp_path):
    file = tmp_path / "search.db"
    command = """printf '{{"loss": 1.5%s}}\\n' {seed}"""
    scale = ["--metric", "loss", "--minimize", "--score-range", "0,10"]
    program("search", "--db", file, "--evaluator", command, *scale, "--budget-trials", 3, "--seeds", 2, "--jobs", 1)
    board = actsearch.leaderboard(file)
    assert board and all(1.5 <= row.score < 1.6 and row.seconds is not None for row in board)
    assert all(row.low is None or row.low <= row.score <= row.high for row in board)


def test_the_export_is_the_programs_but_for_where_it_comes_from():
    def code(text):
        return [line for line in text.splitlines() if not line.startswith("#")]

    for target in ("pytorch", "jax", "keras"):
        assert code(actsearch.Formula("x * sin(beta * x)").export(target)) == code(program("export", "x * sin(beta * x)", "--to", target))
