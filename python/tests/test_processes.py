"""Several processes on one file: asking at once, forks, pools, and one that dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from actsearch import Answer
from conftest import make_study


def ask_five(path):
    names = []
    for trial in make_study(path).ask(5):
        with trial:
            trial.report(1, train_loss=0.5)
            trial.tell(0.5)
            names.append(trial.id)
    return names


def train(trial):
    with trial:
        return trial.tell(0.5) is Answer.STORED and os.getpid()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_ask_at_once_get_different_trials(tmp_path, method):
    with multiprocessing.get_context(method).Pool(4) as pool:
        names = [name for some in pool.map(ask_five, [tmp_path / "own.db"] * 4, chunksize=1) for name in some]
    assert len(names) == len(set(names)) == 20


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_trains_what_one_process_asks_for(tmp_path, method):
    study = make_study(tmp_path / "own.db")
    with multiprocessing.get_context(method).Pool(2) as pool:
        processes = pool.map(train, list(study.ask(6)), chunksize=1)
    assert all(processes) and os.getpid() not in processes
    assert sum(row.n for row in study.leaderboard()) == 6 and study.out() == []


def test_a_study_is_used_on_both_sides_of_a_fork(tmp_path):
    study = make_study(tmp_path / "own.db")
    before = next(study.ask())
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if next(study.ask()).tell(0.6) is Answer.STORED and before.tell(0.4) is Answer.STORED else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert next(study.ask()).tell(0.7) is Answer.STORED
    assert before.tell(0.4) is Answer.ALREADY_TOLD
    assert sorted(row.score for row in study.leaderboard()) == [0.4, 0.6, 0.7]


A_CHILD_THAT_ENDS_AS_ANY_PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from conftest import make_study
study = make_study(sys.argv[2])
(trial,) = study.ask()
child = os.fork()
if child == 0:
    next(study.ask()).tell(0.4)
    sys.exit(0)  # Python ends, and with it everything that the child has inherited
assert os.waitpid(child, 0)[1] == 0
trial.tell(0.5)
next(study.ask()).tell(0.6)
print(sorted(row.score for row in study.leaderboard()))
"""


def test_a_child_that_ends_leaves_the_parents_connection_alone(tmp_path):
    command = [sys.executable, "-c", A_CHILD_THAT_ENDS_AS_ANY_PROGRAM, os.path.dirname(__file__), str(tmp_path / "own.db")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[0.4, 0.5, 0.6]\n"


ONE_THAT_DIES = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import make_study
trial = next(make_study(sys.argv[2], lease=1).ask())
print(trial.id, flush=True)
sys.stdin.read()
"""


def test_a_process_that_dies_delays_its_trial_and_loses_none(tmp_path):
    command = [sys.executable, "-c", ONE_THAT_DIES, os.path.dirname(__file__), str(tmp_path / "own.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        ticket = process.stdout.readline().strip()
        study = make_study(tmp_path / "own.db")
        assert [row.trial for row in study.out()] == [ticket]
        process.send_signal(signal.SIGKILL)
    while study.out()[0].lease_left > 0:
        time.sleep(0.05)
    assert next(study.ask()).id == ticket + ".2"
