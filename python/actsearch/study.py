"""Studies: searches whose trials are trained by your own loop."""

from __future__ import annotations

import enum
import math
import os
import threading
import warnings
import weakref
from dataclasses import dataclass
from typing import Any, Iterator, Optional, Sequence, Tuple, Union

from actsearch import _core, rows
from actsearch.formula import Formula
from actsearch.loggers import Logger, make_logger
from actsearch.rows import LeaderboardRow, Rows


class Answer(enum.Enum):
    """What a told epoch or result is answered. Only GO_ON is true: `if not trial.report(…): break`."""

    GO_ON = "go on"
    PAUSE = "pause"  #: keep a checkpoint and train something else: a later ask() hands the trial out again if it is promoted
    STOP = "stop"  #: the trial is no longer yours
    STORED = "stored"  #: the result counts
    ALREADY_TOLD = "already told"  #: the same result was stored before
    GIVEN_BACK = "given back"

    def __bool__(self) -> bool:
        return self is Answer.GO_ON


@dataclass(frozen=True)
class Racing:
    """A race stops weak trials early: at each rung they pause, unless they are among the most promising there.

    rungs       whole epochs that ascend, such as (1, 3), each before a trial's last
    eta         the best 1/eta of those that reach a rung go on; None: as `actsearch search` has it
    promote_by  what is compared at a rung: "loss", the training loss; or "prediction", the end that a model predicts from the losses so
                far and the function's curve, once 16 trials have ended. None: as the study began, else "prediction"
    """

    rungs: Sequence[int]
    eta: Optional[float] = None
    promote_by: Optional[str] = None


class Trial:
    """One training of one formula with one seed, handed out by Study.ask().

        with trial:
            network = Net(trial.torch())
            for epoch in range(trial.from_epoch + 1, trial.epochs + 1):
                ...
                if not trial.report(epoch, train_loss=loss, accuracy=accuracy):
                    break
            else:
                trial.tell(accuracy)

    The block gives the trial back where an exception leaves it, so that a later ask() hands it out again. It raises RuntimeError where it
    ends with nothing told: a trial that is neither told, nor failed, nor paused would only block the study.

    formula      a Formula, in the spelling that is trained
    name         its well-known name, or None
    seed         what the first weights and the order of the data are to follow from, the same for every function
    epochs       of a whole trial
    from_epoch   how many are trained already, where the trial was paused or given back; else 0
    id           the ticket, as `actsearch tell --trial` takes it: "17", or "17.2" once handed out again
    reason       why the last answer was what it was, for people; empty where there is nothing to say
    """

    def __init__(self, study: Study, *, number: int, attempt: int, text: str, name: str, seed: int, from_epoch: int, epochs: int) -> None:
        self.study = study
        self.formula = Formula(text)
        self.name: Optional[str] = name or None
        self.seed = seed
        self.epochs = epochs
        self.from_epoch = from_epoch
        self.id: str = _core.ticket_text(number, attempt)
        self.reason = ""
        self._number, self._attempt = number, attempt
        self._out = True  # as far as this object knows

    def torch(self) -> type:
        """The formula as a class of torch.nn.Module: `trial.torch()(channels, axis=1)` makes one, and both may be left out.

        It is the class that `actsearch export --to pytorch` writes (docs/export.md). ImportError where PyTorch is not installed.
        """
        from actsearch import torch

        return torch.activation_class(self.formula)

    def jax(self) -> type:
        """The formula as a class of Flax modules (linen): `trial.jax()()` makes one, with betas along the last axis.

        It is the class that `actsearch export --to jax` writes. ImportError where JAX or Flax is not installed. A network without Flax
        takes actsearch.jax.function(trial.formula).
        """
        from actsearch import jax

        return jax.activation_class(self.formula)

    def report(self, epoch: int, train_loss: Optional[float] = None, accuracy: Optional[float] = None) -> Answer:
        """Tells an epoch, counted from 1, and answers GO_ON, PAUSE or STOP. It begins the lease anew.

        At least one number is wanted, and the training loss at a rung of a race, which goes by it. The accuracy is that on data that
        validate, in the scale of the score. ValueError for numbers that cannot be, which change nothing; a training that diverges calls
        fail().
        """
        answer = self._answered(self.study._core.epoch(self._number, self._attempt, epoch, _number(train_loss), _number(accuracy)))
        if answer is not Answer.STOP:
            self.study._log("epoch", self, epoch, _number(train_loss), _number(accuracy))
        return answer

    def tell(self, score: float) -> Answer:
        """Tells the score: from 0 to 1, higher is better, unless the study has another scale.

        STORED, or ALREADY_TOLD where the same score was stored before. STOP where the trial was handed out again meanwhile, after its
        lease had ended: then nothing is stored. TellError where it has another result. ValueError for what is no score.
        """
        return self._result(_number(score), None)

    def fail(self, reason: str) -> Answer:
        """Tells that the trial has failed, and why: a result too. Answers and errors as tell()."""
        return self._result(None, reason)

    def give_back(self) -> Answer:
        """Gives the trial back unfinished: GIVEN_BACK, or STOP or PAUSE where it was not ours. What was told of its epochs stays."""
        return self._answered(self.study._core.give_back(self._number, self._attempt))

    def renew(self) -> Answer:
        """Begins the lease anew. The study does it itself while this object lives, so this is for what stops all threads."""
        return self._answered(self.study._core.renew(self._number, self._attempt))

    def _keep(self) -> None:
        """renew(), for the thread that does so: `reason` stays that of the trainer's own calls."""
        if not Answer(self.study._core.renew(self._number, self._attempt)[0]):
            self._out = False

    def _result(self, score: Optional[float], failure: Optional[str]) -> Answer:
        answer = self._answered(self.study._core.result(self._number, self._attempt, score, failure))
        if answer is Answer.STORED:
            self.study._log("result", self, score, failure)
        return answer

    def _answered(self, reply: tuple[str, str]) -> Answer:
        answer, self.reason = Answer(reply[0]), reply[1]
        if answer is not Answer.GO_ON:
            self._out = False
        return answer

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if not self._out:
            return
        try:
            self.give_back()
        except Exception as second:
            if error is None:
                raise
            warnings.warn(f"trial {self.id} could not be given back, its lease will: {second}", RuntimeWarning, stacklevel=2)
        if error is None:
            raise RuntimeError(f"trial {self.id} was given back: its block ended without tell(), fail() or a pause")

    def __repr__(self) -> str:
        return f"<Trial {self.id} of {self.formula.text!r}, seed {self.seed}>"

    def __reduce__(self) -> Any:
        name, text = self.name or "", self.formula.text
        return _trial, (self.study, self._number, self._attempt, text, name, self.seed, self.from_epoch, self.epochs)


class Study:
    """A search whose trials your own loop trains. The same arguments on the same file are the same study, which goes on.

        study = actsearch.Study("own.db", conditions="resnet20 on my data, train.py v3", epochs=10, strategy="evolution", racing=(1, 3))
        for trial in study.ask(20):
            with trial:
                ...
        print(study.leaderboard())

    path        the file; it is made where it is not there. It belongs on a local disk
    conditions  what is trained, in your own words. Scores are ranked together where these words, `epochs` and `metric` are equal: change
                the words when you change the training
    epochs      of a whole trial
    space       core1, core2 or core3: the formulas to search; `unary` and `binary` are the operators, all if not said
    strategy    one of actsearch.STRATEGIES, as `actsearch search` has them
    seed        of the first trial of every function; the order of proposals follows from it too
    seeds       trials of each function; leaderboard(compare=…) needs several
    formulas    formulas or names that are also asked for, in turn with the proposals
    baselines   also ReLU, Swish and the other named functions of the paper
    racing      a Racing, or its rungs
    metric      what a score is called: one word
    minimize    whether a lower score is better
    score_range the lowest and the highest score, which may be infinite; None: 0 to 1, or with `minimize` from 0 on
    lease       seconds for which a trial stays out when this process dies. While the process and the Trial live, a thread renews it

    ValueError for arguments that cannot be, before a file is made; DatabaseError for a file that cannot be used.

    Any number of threads may use one object, and any number of processes one file: none gets a trial that another has. After a fork the
    child's object opens the file anew. Objects can be pickled, as can trials: then a pool of processes may train them.

    As a context manager it gives back, at the end of its block, the trials that are still out, and closes the file.
    """

    def __init__(
        self,
        path: Union[str, os.PathLike],
        *,
        conditions: str,
        epochs: int = 1,
        space: str = "core1",
        unary: Optional[Sequence[str]] = None,
        binary: Optional[Sequence[str]] = None,
        strategy: str = "random",
        seed: int = 0,
        seeds: int = 1,
        formulas: Sequence[Union[str, Formula]] = (),
        baselines: bool = False,
        racing: Union[None, Racing, Sequence[int]] = None,
        metric: str = "score",
        minimize: bool = False,
        score_range: Optional[Tuple[float, float]] = None,
        lease: float = 900,
    ) -> None:
        if isinstance(formulas, str):
            raise TypeError("formulas is a list of formulas, not one text")
        if racing is True:
            raise ValueError("racing is its rungs, in whole epochs, such as racing=(1, 3)")
        if lease < 1:
            raise ValueError("a lease is a second at least")
        race = None if racing is None or racing is False else racing if isinstance(racing, Racing) else Racing(racing)
        lowest, highest = score_range if score_range is not None else (0, math.inf if minimize else 1)
        place = os.fspath(path)
        self.path: str = place if "://" in place else os.path.abspath(place)
        self.lease = lease
        self._plan = (
            self.path,
            conditions,
            epochs,
            space,
            None if unary is None else list(unary),
            None if binary is None else list(binary),
            strategy,
            seed,
            seeds,
            baselines,
            [str(formula) for formula in formulas],
            None if race is None else (list(race.rungs), race.eta, race.promote_by),
            metric,
            minimize,
            lowest,
            highest,
        )
        self._begin()
        if self._core.note:
            warnings.warn(self._core.note, stacklevel=2)

    def _begin(self) -> None:
        """What every process has of its own. The file is opened when it is first used."""
        self._session: Any = None
        self._closed = False
        self._lock = threading.Lock()
        self._trials: weakref.WeakSet = weakref.WeakSet()  # that this object has handed out
        self._logging = threading.Lock()
        self._loggers: list[Logger] = []
        self._leases = _Leases()
        self._end_of_leases = weakref.finalize(self, self._leases.stop)  # also where the interpreter ends
        _studies.add(self)

    @property
    def _core(self) -> Any:
        with self._lock:
            if self._closed:
                raise ValueError("the study is closed")
            if self._session is None:
                self._session = _core.Session(*self._plan)
            return self._session

    @property
    def id(self) -> int:
        """The study's number in the file."""
        return self._core.study

    @property
    def conditions(self) -> str:
        """The conditions' whole text, as the leaderboard names them."""
        return self._core.recipe_text

    def ask(self, count: int = 1) -> Iterator[Trial]:
        """Up to `count` trials to train. Each is handed out when the loop comes to it, so strategies know what was told until then.

        First come those that were given back or whose lease is over, then those that the race lets go on, then further seeds, then new
        functions. It ends early where there is no more now: the rest is told, out or paused. `list(study.ask(4))` hands out four at once.
        """
        if count < 1:
            raise ValueError("at least one trial is asked for")
        return self._asked(count)

    def _asked(self, count: int) -> Iterator[Trial]:
        for _ in range(count):
            asked = self._core.ask(self.lease)
            if asked is None:
                return
            yield self._adopted(Trial(self, **asked))

    def trial(self, id: Union[str, int]) -> Trial:
        """A trial of these conditions by its ticket ("17" or "17.2"), say one that another process asked for.

        ValueError where there is none. A ticket that no longer holds its trial is answered STOP when it tells.
        """
        number, attempt = _core.read_ticket(str(id))
        found = self._core.find(number)
        del found["lease_left"]
        return self._adopted(Trial(self, **{**found, "attempt": attempt}))

    def out(self) -> Rows[rows.OutRow]:
        """The trials under these conditions that are out, whoever asked: trial, formula, name, seed, epochs told, seconds of lease left."""
        return Rows(
            rows.OutRow(
                trial=_core.ticket_text(one["number"], one["attempt"]),
                formula=one["text"],
                name=one["name"] or None,
                seed=one["seed"],
                epochs=one["from_epoch"],
                lease_left=one["lease_left"],
            )
            for one in self._core.out()
        )

    def tell(self, formula: Union[str, Formula], score: float, seed: int = 0) -> Answer:
        """Takes in a score from elsewhere, of a trial that nobody asked for: STORED or ALREADY_TOLD.

        TellError where that trial has another result, or is out. ValueError for no formula, or a score that is none.
        """
        return Answer(self._core.elsewhere(str(formula), seed, _number(score), None)[0])

    def fail(self, formula: Union[str, Formula], reason: str, seed: int = 0) -> Answer:
        """Takes in a failure from elsewhere. Answers and errors as tell()."""
        return Answer(self._core.elsewhere(str(formula), seed, None, reason)[0])

    def leaderboard(self, compare: Union[None, str, Formula] = None, top: int = 20, sort: str = "lower-bound") -> Rows[LeaderboardRow]:
        """The best functions under these conditions; those that a race has paused come last, and have no rank.

        compare   a formula or name: each row then has its difference from that function, with Dunnett's test. ValueError where no function
                  has several seeds and one in common with it
        sort      lower-bound, accuracy, time or trials
        """
        reference = None if compare is None else str(compare)
        return rows.leaderboard(lambda most: self._core.ranking(most, sort, reference), top, compare)

    def best(self) -> Optional[LeaderboardRow]:
        """The first row of the leaderboard; None where no trial has finished."""
        board = self.leaderboard(top=1)
        return board[0] if board and board[0].rank is not None else None

    def trials(self) -> Rows[rows.TrialRow]:
        """All trials under these conditions, by number, results from elsewhere included."""
        return rows.trials(self._core)

    def query(self, sql: str) -> Rows:
        """One read-only SELECT on the views of docs/schema.md, as rows with the columns' names. Numbers have 15 digits.

        ValueError where it is no such statement.
        """
        return rows.table(*self._core.query(sql))

    def to_csv(self, path: Union[str, os.PathLike]) -> None:
        """Writes trials() as CSV. A file that is there is replaced."""
        self.trials().to_csv(path)

    def to_parquet(self, path: Union[str, os.PathLike]) -> None:
        """Writes trials() as Parquet. ImportError where pyarrow is not installed. A file that is there is replaced."""
        self.trials().to_parquet(path)

    def log_to(self, kind: str, directory: Union[None, str, os.PathLike] = None, **options: Any) -> None:
        """From now on, also writes what this object's trials tell to where people look at trainings. Each process says so itself.

        study.log_to("tensorboard", "runs/")    event files, a folder a trial: train_loss and accuracy by epoch, score, the formula as text
        study.log_to("mlflow")                  a run a trial; tracking_uri and experiment ("actsearch") may be said

        ImportError says what to install where the package is missing. What cannot be written is a warning, and training goes on.
        """
        logger = make_logger(kind, None if directory is None else os.fspath(directory), self, options)
        with self._logging:
            self._loggers.append(logger)

    def close(self) -> None:
        """Closes file and loggers. Trials that are out stay out until they are told elsewhere, or their lease ends."""
        self._leases.stop()
        with self._logging:
            for logger in self._loggers:
                logger.close()
            self._loggers = []
        with self._lock:
            self._closed, self._session = True, None

    def __enter__(self) -> Study:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        for trial in list(self._trials):
            if trial._out:
                try:
                    trial.give_back()
                except Exception as second:
                    warnings.warn(f"trial {trial.id} could not be given back, its lease will: {second}", RuntimeWarning, stacklevel=2)
        self.close()

    def __repr__(self) -> str:
        return f"<Study of {self.path!r}: {self._plan[1]!r}>"

    def __getstate__(self) -> dict:
        return {"path": self.path, "lease": self.lease, "_plan": self._plan}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._begin()

    def _adopted(self, trial: Trial) -> Trial:
        with self._lock:
            self._trials.add(trial)
        self._leases.renew(self)
        return trial

    def _log(self, what: str, trial: Trial, *arguments: Any) -> None:
        with self._logging:
            for logger in self._loggers:
                logger.safely(what, trial, *arguments)

    def _after_fork(self) -> None:
        """In a child: what belongs to the parent's connection and threads is left alone, and the file is opened anew when it is used."""
        closed = self._closed
        self._end_of_leases.detach()
        _core.abandon(self._session)
        self._begin()
        self._closed = closed


def _number(value: Any) -> Optional[float]:
    """A number of any library, a tensor of one element among them."""
    return None if value is None else float(value.item() if hasattr(value, "item") else value)


def _trial(study: Study, number: int, attempt: int, text: str, name: str, seed: int, from_epoch: int, epochs: int) -> Trial:
    return study._adopted(
        Trial(study, number=number, attempt=attempt, text=text, name=name, seed=seed, from_epoch=from_epoch, epochs=epochs)
    )


class _Leases:
    """A thread that renews the leases of a study's trials, as long as study and trials live."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._lock = threading.Lock()

    def renew(self, study: Study) -> None:
        """Begins, if it has not."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(weakref.ref(study), study.lease / 3), name="actsearch leases", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Ends the thread, and waits until it is out of the extension: the interpreter must not end under it."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    def _run(self, study_of: Any, every: float) -> None:
        while not self._ended.wait(every):
            study = study_of()
            if study is None:
                return
            with study._lock:
                trials = [trial for trial in study._trials if trial._out]
            for trial in trials:
                try:
                    trial._keep()
                except (RuntimeError, ValueError):  # a busy file, or one that is closed now: two more turns come before the lease ends
                    pass
            del study, trials  # nothing is kept alive while this waits
            trial = None


_studies: weakref.WeakSet = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for study in list(_studies):
        study._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
