"""Formulas: activation functions as text, as values and as pictures."""

from __future__ import annotations

import base64
import html
import sys
from array import array
from functools import cached_property
from typing import Any, Callable, Optional, Sequence, Tuple, Union

from actsearch import _core


class Formula:
    """An activation function y = f(x), with a number `beta` in it for each trainable parameter.

    >>> swish = Formula("x * sigmoid(beta * x)")
    >>> swish(1.0, 2.0)  # x = 1, beta = 2
    0.8807970779778823

    The text is a formula in actsearch's notation (docs/grammar.md) or the name of a known function, such as "relu". FormulaError, which
    is a ValueError, says what is wrong with any other text, and in which column.

    Two formulas are equal where they compute the same function, however they are spelled and whatever the order of their betas; `text`
    tells spellings apart. Objects are immutable, hash by their function, and can be pickled.
    """

    _core: Any  # of the extension
    _root: str  # the text that was parsed; of a derivative, what it is a derivative of, and by what
    _by: Tuple[str, ...]

    def __init__(self, text: Union[str, Formula]) -> None:
        if isinstance(text, Formula):
            self._core, self._root, self._by = text._core, text._root, text._by
            return
        if not isinstance(text, str):
            raise TypeError(f"a formula is a text, not {type(text).__name__}")
        self._core, self._root, self._by = _core.Formula(text), text, ()

    @property
    def text(self) -> str:
        """The formula in the notation, with the fewest parentheses. ValueError where a derivative is too long to write."""
        return self._core.text()

    @cached_property
    def name(self) -> Optional[str]:
        """The name of the well-known function that this is, however it is spelled: "relu", "swish". None where it is none."""
        return self._core.name() or None

    @property
    def parameters(self) -> int:
        """How many betas it has. A derivative has those of its formula."""
        return self._core.parameter_count

    @cached_property
    def fingerprint(self) -> Optional[str]:
        """32 hexadecimal digits, equal for the same function: what the file keeps candidates by. None where it is not finite on [-5, 5]."""
        return self._core.fingerprint() or None

    @cached_property
    def refused(self) -> Optional[str]:
        """Why no search would train it, such as "constant". None where it is a candidate."""
        return self._core.refusal() or None

    def canonical(self) -> Formula:
        """The spelling of the same function that a search trains and stores. ValueError where a search would refuse it.

        A formula of three core units takes up to a second.
        """
        return _of(self._core.canonical())

    def latex(self) -> str:
        """The formula in LaTeX's mathematics mode, without dollar signs."""
        return self._core.latex()

    def mathml(self) -> str:
        """The formula in MathML Core: `<math>…</math>`."""
        return self._core.mathml()

    def derivative(self, by: str = "x") -> Formula:
        """The derivative by x, or by one of the betas: "beta0", "beta1", …; "beta" is beta0. ValueError for anything else.

        Its parameters are those of this formula, so it is called with as many betas. At kinks it has the slope that training uses.
        """
        derived = Formula.__new__(Formula)
        derived._core = self._core.derivative(_parameter(by))
        derived._root, derived._by = self._root, (*self._by, by)
        return derived

    def __call__(self, x: Any, *beta: float) -> Any:
        """f(x): of a number, a list of numbers, or a NumPy array of any shape. The answer is of the same kind, in double precision.

        Each beta is one number. They are 1, where training starts, if none is given; otherwise as many are wanted as there are
        (ValueError). What overflows is infinite, and NaN is where the formula is not defined.
        """
        return self._over(x, beta, self._core.values)

    def slope(self, x: Any, *beta: float) -> Any:
        """f'(x), as __call__: the slopes that training uses, kinks included."""
        return self._over(x, beta, self._core.slopes)

    def export(self, target: str = "pytorch", name: str = "") -> Union[str, bytes]:
        """What `actsearch export --to TARGET` writes: bytes for onnx, else text. docs/export.md says what each file holds.

        The betas of a derivative are numbered anew, in the order of its text.

        ValueError for an unknown target, and where the target cannot express the formula.
        """
        content = self._core.exported(target, name)
        return content if target == "onnx" else content.decode()

    def svg(self, range: Sequence[float] = (-5, 5), derivative: bool = True, beta: Sequence[float] = ()) -> str:
        """A picture of f, and beside it of f', over a range of x, as a whole SVG document.

        The betas are 1 if none is given. ValueError for a range that cannot be drawn, and where the formula is nowhere finite in it.
        """
        low, high = range
        return self._core.svg(low, high, derivative, self._betas(beta))

    def _betas(self, beta: Sequence[float]) -> list[float]:
        return [float(value) for value in beta] or [1.0] * self.parameters

    def _over(self, x: Any, beta: Sequence[float], compute: Callable) -> Any:
        betas = self._betas(beta)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(x, (numpy.ndarray, numpy.generic)):
            values = numpy.array(x, dtype=float, order="C")
            out = numpy.empty(values.size)
            compute(values.reshape(-1), betas, out)
            return out.reshape(values.shape)[()]
        is_number = isinstance(x, (int, float))
        values = array("d", [x] if is_number else x)
        out = array("d", bytes(8 * len(values)))
        compute(values, betas, out)
        return out[0] if is_number else out.tolist()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Formula):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> str:
        return self.fingerprint or self.text

    def __reduce__(self) -> Any:
        return _derived, (self._root, self._by)

    def _repr_latex_(self) -> str:
        return f"$f(x) = {self.latex()}$"

    def _repr_html_(self) -> str:
        """The formula and its picture, for notebooks."""
        try:
            picture = base64.b64encode(self.svg().encode()).decode()
            image = f'<img alt="{html.escape(self.text)}" src="data:image/svg+xml;base64,{picture}">'
        except ValueError as error:  # nothing to draw
            image = html.escape(str(error))
        return f"<div>{self.mathml()}</div><div>{image}</div>"


def _parameter(by: str) -> Optional[int]:
    if by == "x":
        return None
    number = by[len("beta") :]
    if by.startswith("beta") and (number == "" or (number.isascii() and number.isdigit() and len(number) < 6)):
        return int(number or 0)
    raise ValueError(f"a derivative is by x, beta0, beta1, …, not by {by!r}")


def _of(core: Any) -> Formula:
    return Formula(core.text())


def _derived(root: str, by: tuple[str, ...]) -> Formula:
    formula = Formula(root)
    for one in by:
        formula = formula.derivative(one)
    return formula
