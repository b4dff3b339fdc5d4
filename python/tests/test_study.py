"""actsearch.Study in one process: the loop, its answers, its threads, and what goes wrong."""

from __future__ import annotations

import csv
import gc
import pickle
import sqlite3
import threading
import time

import pytest

import actsearch
from actsearch import Answer
from conftest import make_study


def out(study):
    return [row.trial for row in study.out()]


def test_a_whole_loop(study):
    scores = {}
    for trial in study.ask(5):
        with trial:
            assert (trial.from_epoch, trial.epochs, trial.seed) == (0, 10, 0)
            for epoch in range(1, trial.epochs + 1):
                assert trial.report(epoch, train_loss=1 / epoch, accuracy=0.5) is Answer.GO_ON
            score = 0.5 + int(trial.id) / 100
            assert trial.tell(score) is Answer.STORED
            scores[trial.formula.text] = score
    board = study.leaderboard()
    assert {row.formula: row.score for row in board} == pytest.approx(scores)
    assert [row.rank for row in board] == [1, 2, 3, 4, 5] and {row.epochs for row in board} == {10}
    assert study.best().score == pytest.approx(max(scores.values()))
    assert actsearch.leaderboard(study.path) == board
    assert "formula" in str(board) and "<table>" in board._repr_html_()


def test_a_loop_asks_when_it_comes_to_a_trial(study):
    for trial in study.ask(3):
        assert out(study) == [trial.id]
        trial.tell(0.5)
    assert len(list(study.ask(3))) == 3 == len(out(study))


def test_nothing_is_ranked_before_something_is_told(study):
    assert study.best() is None and study.leaderboard() == [] and study.trials() == []
    assert str(study.leaderboard()) == "no rows"


@pytest.mark.parametrize("strategy", actsearch.STRATEGIES)
def test_every_strategy_can_be_asked(tmp_path, strategy):
    with make_study(tmp_path / "own.db", strategy=strategy) as study:
        assert len({trial.formula for trial in study.ask(3)}) == 3


def test_formulas_of_ones_own_are_asked_for(tmp_path):
    study = make_study(tmp_path / "own.db", formulas=["relu", actsearch.Formula("x * tanh(x)")])
    texts = [trial.formula.text for trial in study.ask(4)]
    assert "max(x, 0)" in texts and "x * tanh(x)" in texts


def test_an_exception_gives_the_trial_back(study):
    (trial,) = study.ask()
    trial.report(1, train_loss=0.9)
    with pytest.raises(ZeroDivisionError):
        with trial:
            1 / 0
    assert out(study) == []
    (again,) = study.ask()
    assert again.formula == trial.formula and again.id == trial.id + ".2" and again.from_epoch == 1


def test_a_block_that_tells_nothing_says_so_and_gives_back(study):
    (trial,) = study.ask()
    with pytest.raises(RuntimeError, match="without tell"):
        with trial:
            trial.report(1, accuracy=0.5)
    assert out(study) == []


def test_the_end_of_a_study_gives_back_what_is_out(tmp_path):
    with pytest.raises(KeyError):
        with make_study(tmp_path / "own.db") as study:
            done, kept = study.ask(2)
            done.tell(0.4)
            raise KeyError
    with pytest.raises(ValueError, match="closed"):
        study.ask().__next__()
    other = make_study(tmp_path / "own.db")
    assert out(other) == [] and [row.score for row in other.leaderboard()] == [0.4]
    assert next(other.ask()).formula == kept.formula


def test_telling_twice_is_known_and_loses_nothing(study):
    first, second = study.ask(2)
    assert first.tell(0.5) is Answer.STORED
    assert first.tell(0.5) is Answer.ALREADY_TOLD
    with pytest.raises(actsearch.TellError, match="0.5"):
        first.tell(0.6)
    with pytest.raises(actsearch.TellError):
        first.fail("out of memory")
    assert second.fail("out of memory") is Answer.STORED
    assert second.fail("out of memory") is Answer.ALREADY_TOLD
    assert [(row.status, row.score, row.detail) for row in study.trials()] == [("done", 0.5, None), ("failed", None, "out of memory")]


def test_a_late_teller_is_told_from_the_new_holder(study):
    (first,) = study.ask()
    first.give_back()
    (second,) = study.ask()
    assert first.tell(0.5) is Answer.STOP and "handed out again" in first.reason
    assert first.report(1, accuracy=0.5) is Answer.STOP
    assert second.tell(0.6) is Answer.STORED


def test_what_is_no_number_is_refused_and_changes_nothing(study):
    (trial,) = study.ask()
    for wrong in (float("nan"), float("inf"), -0.1, 1.1):
        with pytest.raises(ValueError):
            trial.tell(wrong)
    for wrong in ({}, {"train_loss": float("nan")}, {"accuracy": 80}):
        with pytest.raises(ValueError):
            trial.report(1, **wrong)
    for epoch in (0, 11):
        with pytest.raises(ValueError):
            trial.report(epoch, accuracy=0.5)
    with pytest.raises(ValueError):
        trial.tell("good")
    assert out(study) == [trial.id]
    assert trial.tell(0.5) is Answer.STORED


def test_a_race_pauses_the_weak_and_goes_on_with_the_promoted(tmp_path):
    study = make_study(tmp_path / "own.db", racing=actsearch.Racing((1, 3), eta=2.2))
    losses = {}
    for loss, trial in zip((0.4, 0.1, 0.9), study.ask(3)):
        with trial:
            losses[trial.formula] = loss
            answer = trial.report(1, train_loss=loss)
            assert answer is Answer.PAUSE and not answer  # too few are there to be among the best of
    paused = study.leaderboard()
    assert [row.train_loss for row in paused] == [0.1, 0.4, 0.9]
    assert all(row.status == "paused" and row.rank is None for row in paused) and study.best() is None
    (promoted,) = study.ask()
    assert losses[promoted.formula] == 0.1 and promoted.from_epoch == 1
    with pytest.raises(ValueError, match="training loss"):
        promoted.report(3, accuracy=0.5)
    with promoted:
        assert promoted.report(2, accuracy=0.5) is Answer.GO_ON
        promoted.tell(0.6)
    assert study.best().score == 0.6


def test_races_that_cannot_be_are_refused(tmp_path):
    for wrong in ((), (3, 1), (10,), True):
        with pytest.raises(ValueError):
            make_study(tmp_path / "own.db", racing=wrong)
    with pytest.raises(ValueError, match="eta"):
        make_study(tmp_path / "own.db", racing=actsearch.Racing((1,), eta=1))
    with pytest.raises(ValueError, match="prediction or by loss"):
        make_study(tmp_path / "own.db", racing=actsearch.Racing((1,), promote_by="luck"))
    make_study(tmp_path / "other.db", racing=actsearch.Racing((1,), promote_by="loss")).close()
    assert not (tmp_path / "own.db").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"conditions": ""},
        {"epochs": 0},
        {"space": "core9"},
        {"unary": ["nothing"]},
        {"strategy": "guess"},
        {"seeds": 0},
        {"formulas": ["x +"]},
        {"formulas": ["x - x"]},
        {"lease": 0},
        {"seed": 2**63},
    ],
)
def test_arguments_that_cannot_be_make_no_file(tmp_path, wrong):
    with pytest.raises(ValueError):
        make_study(tmp_path / "own.db", **wrong)
    assert not (tmp_path / "own.db").exists()


def test_arguments_of_the_wrong_kind_are_type_errors(tmp_path):
    for wrong in ({"formulas": "relu"}, {"epochs": "10"}, {"seed": -1}):
        with pytest.raises(TypeError):
            make_study(tmp_path / "own.db", **wrong)
    with pytest.raises(TypeError):
        actsearch.Study(tmp_path / "own.db")  # the conditions are to be said


def test_a_file_that_is_no_database_is_a_database_error(tmp_path):
    (tmp_path / "own.db").write_text("this is no database" * 100)
    with pytest.raises(actsearch.DatabaseError, match="own.db"):
        make_study(tmp_path / "own.db")
    with pytest.raises(actsearch.DatabaseError):
        actsearch.leaderboard(tmp_path / "none.db")


def test_two_studies_with_different_conditions_share_a_file_and_no_rank(tmp_path):
    one = make_study(tmp_path / "own.db", conditions="one")
    two = make_study(tmp_path / "own.db", conditions="two", strategy="random", seeds=2)
    one.tell("relu", 0.5)
    two.tell("relu", 0.9)
    (of_one,), (of_two,) = one.ask(), two.ask()
    assert len(one.out()) == len(two.out()) == 1
    of_one.tell(0.6)
    of_two.tell(0.7)
    assert sorted(row.score for row in one.leaderboard()) == [0.5, 0.6]
    assert sorted(row.score for row in two.leaderboard()) == [0.7, 0.9]
    assert {row.score for row in one.trials()} == {0.5, 0.6}
    with pytest.raises(ValueError, match="conditions"):
        one.trial(of_two.id)


def test_the_same_conditions_with_other_epochs_are_noticed(tmp_path):
    make_study(tmp_path / "own.db", conditions="one").tell("relu", 0.5)
    with pytest.warns(UserWarning, match="epochs"):
        make_study(tmp_path / "own.db", conditions="one", epochs=20)


def test_results_from_elsewhere_count(study):
    for seed in range(3):
        assert study.tell("relu", 0.5 + seed / 100, seed=seed) is Answer.STORED
        assert study.tell("x * tanh(x)", 0.6 + seed / 90, seed=seed) is Answer.STORED
    assert study.tell("max(0, x)", 0.5) is Answer.ALREADY_TOLD
    with pytest.raises(actsearch.TellError):
        study.tell("relu", 0.7)
    assert study.fail("sin(x)", "diverged") is Answer.STORED
    with pytest.raises(ValueError):
        study.tell("x +", 0.5)
    with pytest.raises(ValueError):
        study.tell("relu", 2, seed=9)
    best, relu = study.leaderboard(compare="relu")
    assert best.epochs is None  # none was told
    assert best.formula == "x * tanh(x)" and best.common_seeds == 3 and best.difference == pytest.approx(0.1 + 1 / 90 - 1 / 100)
    assert best.difference_low < best.difference < best.difference_high and best.p < 0.05 and relu.difference is None
    assert [row.formula for row in study.leaderboard(compare=best.formula, top=1)] == [best.formula]  # it is compared with others, not shown
    with pytest.raises(ValueError, match="several seeds"):
        study.leaderboard(compare="sin(x)")
    with pytest.raises(ValueError, match="sort"):
        study.leaderboard(sort="beauty")


def test_a_metric_of_which_the_lower_is_better(tmp_path):
    study = make_study(tmp_path / "own.db", metric="perplexity", minimize=True)
    assert study.tell("relu", 12.5) is Answer.STORED and study.tell("sin(x)", 30) is Answer.STORED
    (trial,) = study.ask()
    assert trial.report(1, accuracy=20.0) is Answer.GO_ON
    with pytest.raises(ValueError):
        trial.tell(-1)
    assert trial.tell(8.25) is Answer.STORED and trial.tell(8.25) is Answer.ALREADY_TOLD
    assert [row.score for row in study.leaderboard()] == [8.25, 12.5, 30] and study.best().formula == trial.formula.text
    assert sorted(row.score for row in study.trials()) == [8.25, 12.5, 30]
    assert "perplexity" in study.conditions


def test_scores_of_a_range_of_ones_own(tmp_path):
    study = make_study(tmp_path / "own.db", metric="reward", score_range=(-1, 100))
    assert study.tell("relu", -0.5) is Answer.STORED
    with pytest.raises(ValueError):
        study.tell("sin(x)", 101)
    for wrong in ({"metric": "two words"}, {"metric": ""}, {"score_range": (1, 0)}):
        with pytest.raises(ValueError):
            make_study(tmp_path / "none.db", **wrong)
    assert not (tmp_path / "none.db").exists()


def test_a_trial_is_found_again_by_its_ticket(tmp_path):
    one = make_study(tmp_path / "own.db")
    (trial,) = one.ask()
    trial.report(4, accuracy=0.4)
    found = make_study(tmp_path / "own.db").trial(trial.id)
    assert (found.formula, found.seed, found.from_epoch) == (trial.formula, trial.seed, 4)
    assert found.tell(0.5) is Answer.STORED
    assert trial.tell(0.5) is Answer.ALREADY_TOLD
    for wrong in ("", "17x", "-1", "99"):
        with pytest.raises(ValueError):
            one.trial(wrong)


def test_threads_that_ask_at_once_get_different_trials(study):
    names, failures = [], []
    start = threading.Barrier(8)

    def work():
        try:
            start.wait()
            for trial in study.ask(5):
                with trial:
                    names.append(trial.id)
                    trial.report(1, train_loss=0.5)
                    trial.tell(0.5)
        except BaseException as error:  # for the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(names) == len(set(names)) == 40
    assert sum(row.n for row in study.leaderboard(top=100)) == 40


def test_a_lease_is_renewed_while_the_trial_lives(tmp_path):
    study = make_study(tmp_path / "own.db", lease=4)  # which shows in whole seconds, and is renewed after a third

    (trial,) = study.ask()
    given = study.out()[0].lease_left
    wait_until(lambda: study.out()[0].lease_left < given)
    wait_until(lambda: study.out()[0].lease_left >= given)
    assert trial.reason == ""
    del trial
    gc.collect()
    wait_until(lambda: [row.lease_left for row in study.out()] == [0])  # nobody holds it any more


def wait_until(condition):
    """The test's time-out ends the wait that is in vain."""
    while not condition():
        time.sleep(0.05)


def test_a_locked_file_is_waited_for(tmp_path):
    study = make_study(tmp_path / "own.db")
    (trial,) = study.ask()
    lock = sqlite3.connect(tmp_path / "own.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    told = []
    thread = threading.Thread(target=lambda: told.append(trial.tell(0.5)))
    thread.start()
    for _ in range(50):  # it gives up Python's lock, or this would not go on
        time.sleep(0.005)
        assert thread.is_alive()
    lock.execute("ROLLBACK")
    thread.join()
    assert told == [Answer.STORED]


def test_studies_and_trials_survive_pickling(study):
    (trial,) = study.ask()
    again = pickle.loads(pickle.dumps(trial))
    assert (again.id, again.formula, again.seed, again.epochs) == (trial.id, trial.formula, trial.seed, trial.epochs)
    assert again.tell(0.5) is Answer.STORED
    assert pickle.loads(pickle.dumps(study)).id == study.id


def test_csv_of_all_trials(study, tmp_path):
    study.tell("relu", 0.1 + 0.2)
    study.fail("sin(x)", 'said "no", twice\nand again')
    (trial,) = study.ask()
    trial.report(3, train_loss=0.25)
    study.to_csv(tmp_path / "trials.csv")
    with open(tmp_path / "trials.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(row["formula"], row["status"]) for row in table[:2]] == [("max(x, 0)", "done"), ("sin(x)", "failed")]
    assert float(table[0]["score"]) == 0.1 + 0.2
    assert table[1]["detail"] == 'said "no", twice\nand again'
    assert (table[2]["trial"], table[2]["status"], table[2]["epochs"]) == (trial.id, "running", "3")


def test_a_query_answers_typed_rows(study):
    study.tell("relu", 0.25, seed=7)
    (row,) = study.query("SELECT formula, seed, accuracy, beta0 AS missing, 1 + 1 FROM trials")
    assert (row.formula, row.seed, row.accuracy, row.missing, row.column4) == ("max(x, 0)", 7, 0.25, None, 2)
    with pytest.raises(ValueError):
        study.query("DELETE FROM trials")


def test_what_a_count_and_a_log_cannot_be(study):
    with pytest.raises(ValueError):
        study.ask(0)
    with pytest.raises(ValueError, match="tensorboard, mlflow"):
        study.log_to("paper")
