"""Tables: lists of rows that go to pandas, CSV, Parquet and notebooks."""

from __future__ import annotations

import csv
import dataclasses
import html
import keyword
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Generic, List, Optional, Tuple, TypeVar, Union

from actsearch._optional import needed
from actsearch.formula import Formula

Row = TypeVar("Row")


@dataclass(frozen=True)
class LeaderboardRow:
    """A function on the leaderboard. Scores are as they were told: from 0 to 1, or of the metric of `search --evaluator --metric`.

    rank        from 1; None where a race has paused all its trials
    formula     the notation; Formula(row.formula) is the object
    name        its well-known name, or None
    status      "finished" or "paused"
    score       mean over its finished trials
    n           trials
    low, high   95 % interval of that mean (Student's t over the seeds); None for one trial
    margin      half of the 95 % interval, by how far the seeds of a function lie apart in this file; None where that is unknown
    tied        the ranks that the row is not told apart from
    bound       the mean less what so few seeds may have added: the order of the rows, where there is one
    best        the best single trial
    validation_loss
                mean over its trials, after the last epoch; None where it was not told
    beta        mean of the learned beta0, where the built-in trainer trained
    seconds     of a trial, on average; None where they are not known
    epochs      told of a trial; of a paused function's furthest. None where none was told
    train_loss  there, for paused functions
    difference, difference_low, difference_high
                with leaderboard(compare=…): from that function, by one model of all functions with several seeds; the intervals
                of all of them hold together with 95 %
    common_seeds
                how many seeds both have
    p           of Dunnett's test, corrected for all functions that are compared
    p_alone     the same without correction
    equal_within
                the smallest margin within which the two are equal (two one-sided tests at 5 %)
    """

    rank: Optional[int] = None
    formula: str = ""
    name: Optional[str] = None
    status: str = ""
    score: Optional[float] = None
    n: int = 0
    low: Optional[float] = None
    high: Optional[float] = None
    margin: Optional[float] = None
    tied: Optional[Tuple[int, int]] = None
    bound: Optional[float] = None
    best: Optional[float] = None
    validation_loss: Optional[float] = None
    beta: Optional[float] = None
    seconds: Optional[float] = None
    epochs: Optional[float] = None
    train_loss: Optional[float] = None
    difference: Optional[float] = None
    difference_low: Optional[float] = None
    difference_high: Optional[float] = None
    common_seeds: Optional[int] = None
    p: Optional[float] = None
    p_alone: Optional[float] = None
    equal_within: Optional[float] = None


@dataclass(frozen=True)
class OutRow:
    """A trial that is out: `epochs` are told, and the lease lasts for `lease_left` seconds; 0 once it is over."""

    trial: str
    formula: str
    name: Optional[str]
    seed: int
    epochs: int
    lease_left: int


@dataclass(frozen=True)
class TrialRow:
    """A trial of any state: running, done, failed or released (given back, or paused by a race).

    `epochs` is the furthest that is told, `train_loss` that of a finished trial's last epoch, `reason` and `detail` are those of a failed
    one. Times are UTC.
    """

    trial: int
    formula: str
    name: Optional[str]
    seed: int
    status: str
    score: Optional[float]
    train_loss: Optional[float]
    epochs: int
    reason: Optional[str]
    detail: Optional[str]
    started: Optional[str]
    finished: Optional[str]


class Rows(List[Row], Generic[Row]):
    """A list of rows, which are dataclasses. str() and notebooks show a table."""

    def columns(self) -> list[str]:
        """The fields of the rows; none where there are no rows."""
        first: Any = self[0] if self else None
        return [field.name for field in dataclasses.fields(first)] if self else []

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dictionary a row."""
        return [{name: getattr(row, name) for name in self.columns()} for row in self]

    def to_pandas(self) -> Any:
        """A pandas.DataFrame. ImportError where pandas is not installed."""
        return needed("pandas", "Rows.to_pandas()", "pandas").DataFrame(self.to_dicts(), columns=self.columns() or None)

    def to_csv(self, path: Union[str, os.PathLike]) -> None:
        """Writes the rows as CSV, with a line of names. None is an empty cell. A file that is there is replaced."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns())
            writer.writerows([getattr(row, name) for name in self.columns()] for row in self)

    def to_parquet(self, path: Union[str, os.PathLike]) -> None:
        """Writes the rows as Parquet. ImportError where pyarrow is not installed. A file that is there is replaced."""
        pyarrow = needed("pyarrow", "Rows.to_parquet()", "pyarrow")
        needed("pyarrow.parquet", "Rows.to_parquet()", "pyarrow").write_table(pyarrow.Table.from_pylist(self.to_dicts()), os.fspath(path))

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        """Names and texts of the columns that have something in them."""
        columns = [name for name in self.columns() if any(getattr(row, name) not in (None, "") for row in self)]
        return columns, [[_shown(getattr(row, name)) for name in columns] for row in self]

    def __str__(self) -> str:
        columns, cells = self._shown()
        if not cells:
            return "no rows"
        lines = [columns, *cells]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)

    def _repr_html_(self) -> str:
        columns, cells = self._shown()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if cells else "<p>no rows</p>"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return " to ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


_MOST_ROWS = 1_000_000


def leaderboard(ranking: Callable[[int], list[dict[str, Any]]], top: int, compare: Union[None, str, Formula] = None) -> Rows[LeaderboardRow]:
    """The first rows of what _core answers, which takes how many. ValueError where no function could be compared, shown or not."""
    board = Rows(LeaderboardRow(**{**row, **{name: row.get(name) or None for name in ("name", "epochs", "seconds")}}) for row in ranking(top))
    if compare is not None and all(row.difference is None for row in board) and all(row.get("difference") is None for row in ranking(_MOST_ROWS)):
        raise ValueError(f"compare={str(compare)!r}: no function has several seeds and one in common with it")
    return board


@lru_cache(maxsize=100)
def _row_class(columns: Tuple[str, ...]) -> type:
    """A class with these fields. A column that is no name of a field, or is there twice, is called by its place."""
    fields: List[str] = []
    for i, name in enumerate(columns):
        is_name = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") and name not in fields
        fields.append(name if is_name else f"column{i}")
    return dataclasses.make_dataclass("Row", [(name, Any) for name in fields], frozen=True)


def table(columns: List[str], cells: List[tuple]) -> Rows:
    """Rows of a SELECT."""
    kind = _row_class(tuple(columns))
    return Rows(kind(*row) for row in cells)


def trials(core: Any) -> Rows[TrialRow]:
    """All trials under a session's conditions."""
    # SELECTs answer numbers with 15 digits; 17 keep every one.
    accuracy = "-t.accuracy" if core.minimizes else "t.accuracy"
    score, train_loss = (f"CASE WHEN {number} IS NOT NULL THEN printf('%!.17g', {number}) END" for number in (accuracy, "t.train_loss"))
    _, cells = core.query(
        f"SELECT t.trial, t.formula, t.name, t.seed, t.status, {score}, {train_loss},"
        " coalesce((SELECT max(e.epoch) + 1 FROM epochs e WHERE e.trial = t.trial), 0), f.reason, f.detail, t.started, t.finished"
        f" FROM trials t LEFT JOIN failures f ON f.trial = t.trial WHERE t.recipe_id = {core.recipe} ORDER BY t.trial"
    )
    return Rows(TrialRow(*row[:5], *(None if number is None else float(number) for number in row[5:7]), *row[7:]) for row in cells)
