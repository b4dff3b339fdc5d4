"""actsearch: search for the activation function that suits your own network.

    import actsearch

    study = actsearch.Study("own.db", conditions="resnet20 on my data, train.py v3", epochs=10)
    for trial in study.ask(20):
        with trial:
            trial.tell(train(trial.torch(), trial.seed))  # your own training
    print(study.leaderboard())

Study       asks for formulas to train, and takes in what became of them
Formula     a formula: its text, values, derivative, picture
actsearch.torch, actsearch.jax
            activations for PyTorch and JAX, imported when they are used

docs/python.md has more. The package needs the standard library alone.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Optional, Union

from actsearch import _core, rows
from actsearch._core import DatabaseError, FormulaError, TellError
from actsearch.formula import Formula
from actsearch.rows import LeaderboardRow, Rows
from actsearch.study import Answer, Racing, Study, Trial

__version__: str = _core.version
STRATEGIES: tuple = tuple(_core.strategies)  #: what Study(strategy=…) may be
__all__ = [
    "Answer",
    "DatabaseError",
    "Formula",
    "FormulaError",
    "LeaderboardRow",
    "Racing",
    "Rows",
    "STRATEGIES",
    "Study",
    "TellError",
    "Trial",
    "jax",
    "leaderboard",
    "torch",
]


def leaderboard(
    path: Union[str, os.PathLike],
    recipe: Optional[str] = None,
    compare: Union[None, str, Formula] = None,
    top: int = 20,
    sort: str = "lower-bound",
) -> Rows[LeaderboardRow]:
    """The leaderboard of any file, a search's of `actsearch search` too, as `actsearch leaderboard` ranks it.

    recipe   the conditions, as --recipe takes them; None: those with the most trials
    The rest as Study.leaderboard(). DatabaseError where there is no such file. It is safe while a search writes.
    """
    reference = None if compare is None else str(compare)
    return rows.leaderboard(lambda most: _core.ranking_of(os.fspath(path), recipe, most, sort, reference), top, compare)


def __getattr__(name: str) -> Any:
    if name in ("torch", "jax"):  # not before they are used
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
