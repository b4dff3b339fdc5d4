"""Writes finite_table.txt: value and slope of formulas over ±10⁴ in arbitrary precision (mpmath; Debian: python3-mpmath).

    build/ci/write_finite_formulas | python3 tests/kernels/finite_table.py > tests/kernels/finite_table.txt

A line is the formula, its values and its slopes at the points of the first line. nan: no real number, a pole, or undecided because a part
is beyond e^(2^40). inf: beyond single precision. Slopes at a tie of max and min are the second argument's, as in docs/grammar.md.
"""
import itertools
import multiprocessing
import re
import sys

import mpmath
from mpmath import mp, mpf

POINTS = [s * v for v in (0.5, 3.0, 20.0, 50.0, 80.0, 88.0, 88.5, 89.0, 90.0, 100.0, 700.0, 1000.0, 10000.0) for s in (-1, 1)]
BETAS = (0.75, 1.25, 0.5, 1.5)
LARGEST = mpf(3.4028234663852886e38)
HUGE = mpf(2) ** 40  # exp of more is called infinite


class Undecided(Exception):
    pass


def chained(outer, inner):
    """A slope of the chain rule: what has saturated for good is so faster than anything grows."""
    return mpf(0) if outer == 0 or inner == 0 else outer * inner


class Dual:
    """A value and its derivative by x."""

    def __init__(self, v, d=0):
        self.v, self.d = mpf(v), mpf(d)
        if mpmath.isnan(self.v) or mpmath.isnan(self.d):
            raise Undecided

    def __add__(self, o):
        o = dual(o)
        return Dual(self.v + o.v, self.d + o.d)

    def __sub__(self, o):
        o = dual(o)
        return Dual(self.v - o.v, self.d - o.d)

    def __mul__(self, o):
        o = dual(o)
        return Dual(self.v * o.v, chained(self.v, o.d) + chained(o.v, self.d))

    def __truediv__(self, o):
        o = dual(o)
        if o.v == 0 or mpmath.isinf(o.v):
            raise Undecided
        return Dual(self.v / o.v, (self.d - chained(self.v / o.v, o.d)) / o.v)

    def __neg__(self):
        return Dual(-self.v, -self.d)

    __radd__ = __add__

    def __rsub__(self, o):
        return dual(o) - self

    __rmul__ = __mul__

    def __rtruediv__(self, o):
        return dual(o) / self


def dual(o):
    return o if isinstance(o, Dual) else Dual(o)


def exponential(v):
    if v > HUGE:
        return mpf("inf")
    return mpf(0) if v < -HUGE else mpmath.exp(v)


def function(value, slope):
    def f(a):
        a = dual(a)
        y = value(a.v)
        return Dual(y, chained(slope(a.v, y), a.d))

    return f


def real(condition, f):
    def g(v):
        if not condition(v):
            raise Undecided
        return f(v)

    return g


def finite(f):
    return real(lambda v: not mpmath.isinf(v), f)


def logistic(v):
    return 1 / (1 + exponential(-v))


def hyperbolic(sign):
    return lambda v: (exponential(v) + sign * exponential(-v)) / 2


def tanh(v):
    return mpf(1 if v > 0 else -1) if abs(v) > HUGE else mpmath.tanh(v)


def erf(v):
    return mpf(1 if v > 0 else -1) if abs(v) > mpf(2) ** 20 else mpmath.erf(v)


def sech2(v):
    return mpf(0) if abs(v) > HUGE else 1 / mpmath.cosh(v) ** 2


def choose(first):
    def f(a, b):
        a, b = dual(a), dual(b)
        return a if first(a.v, b.v) else b

    return f


def sinc(v):
    return mpf(0) if mpmath.isinf(v) else mpmath.sin(v) / v


FUNCTIONS = {
    "neg": lambda a: -dual(a),
    "abs": function(abs, lambda v, y: mpmath.sign(v)),
    "square": lambda a: a * a,
    "cube": lambda a: a * a * a,
    "sqrt": function(real(lambda v: v >= 0, mpmath.sqrt), lambda v, y: 1 / (2 * y) if y != 0 else mpf(0)),
    "log": function(real(lambda v: v > 0, mpmath.log), lambda v, y: 1 / v),
    "exp": function(exponential, lambda v, y: y),
    "expm1": function(lambda v: mpmath.expm1(v) if abs(v) < 1 else exponential(v) - 1, lambda v, y: exponential(v)),
    "sin": function(finite(mpmath.sin), lambda v, y: mpmath.cos(v)),
    "cos": function(finite(mpmath.cos), lambda v, y: -mpmath.sin(v)),
    "sinh": function(hyperbolic(-1), lambda v, y: hyperbolic(1)(v)),
    "cosh": function(hyperbolic(1), lambda v, y: hyperbolic(-1)(v)),
    "tanh": function(tanh, lambda v, y: sech2(v)),
    "asinh": function(mpmath.asinh, lambda v, y: 1 / mpmath.sqrt(1 + v * v)),
    "atan": function(mpmath.atan, lambda v, y: 1 / (1 + v * v)),
    "sinc": function(lambda v: sinc(v) if v != 0 else mpf(1), lambda v, y: (mpmath.cos(v) - sinc(v)) / v if v != 0 and not mpmath.isinf(v) else mpf(0)),
    "sigmoid": function(logistic, lambda v, y: y * logistic(-v)),
    "softplus": function(lambda v: v + mpmath.log1p(exponential(-v)) if v > 0 else mpmath.log1p(exponential(v)), lambda v, y: logistic(v)),
    "gauss": function(lambda v: exponential(-v * v), lambda v, y: chained(y, -2 * v)),
    "erf": function(erf, lambda v, y: 2 / mpmath.sqrt(mp.pi) * exponential(-v * v)),
    "greater": lambda a, b: Dual(1 if dual(a).v > dual(b).v else 0),
    "max": choose(lambda a, b: a > b),
    "min": choose(lambda a, b: a < b),
}


def shown(v):
    if mpmath.isinf(v) or abs(v) > LARGEST:
        return "inf" if v > 0 else "-inf"
    return "0" if abs(v) < 1e-31 else "%.5g" % float(v)


def row(formula):
    fresh = itertools.count()  # a beta without a number is another one each time
    code = compile(re.sub(r"\bbeta(?!\d)", lambda _: f"beta{next(fresh)}", formula), formula, "eval")
    values, slopes = [], []
    for x in POINTS:
        mp.dps = int(60 + 0.95 * abs(x))  # cosh(x) - exp(x) cancels as many
        names = {"x": Dual(x, 1), **FUNCTIONS, **{f"beta{k}": Dual(BETAS[k % 4]) for k in range(12)}}
        try:
            y = dual(eval(code, {"__builtins__": {}}, names))  # noqa: S307: formulas of our own
            values.append(shown(y.v))
            slopes.append(shown(y.d))
        except (Undecided, ZeroDivisionError, OverflowError, ValueError, mpmath.libmp.libhyper.NoConvergence):
            values.append("nan")
            slopes.append("nan")
    return f"{formula}|{' '.join(values)}|{' '.join(slopes)}"


def main():
    print("# Written by tests/kernels/finite_table.py.")
    print("x|" + " ".join("%.9g" % x for x in POINTS))
    with multiprocessing.Pool(2) as pool:
        for line in pool.imap(row, [line.strip() for line in sys.stdin], chunksize=4):
            print(line, flush=True)


if __name__ == "__main__":
    main()
