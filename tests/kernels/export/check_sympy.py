"""Every exported SymPy file: its expressions in 30 digits, and its derivatives beside SymPy's own of y."""
import math

import mpmath
import sympy

from cases import Checks, cases

mpmath.mp.dps = 30


def evaluated(expression, symbols, point):
    try:
        value = sympy.lambdify(symbols, expression, modules="mpmath")(*point)
    except (ZeroDivisionError, OverflowError, ValueError):
        return math.nan
    return math.nan if isinstance(value, mpmath.mpc) and value.imag != 0 else mpmath.re(value)


checks = Checks()
for number, case in enumerate(cases()):
    module = case.load()
    symbols = [module.x] + [getattr(module, f"beta{k}") for k in range(case.parameters)]
    expressions = [module.y, module.dydx, *module.dydbeta]
    checks.true(len(expressions) == 2 + case.parameters, f"sympy: {case.formula}: {len(expressions)} expressions")
    own = [sympy.diff(module.y, symbol) for symbol in symbols] if number % 8 == 0 else []  # those of y are slow to take
    for i, bounds in enumerate(case.bounds["double"]):
        if bounds is None or i % 2 == 0 or case.x[i] == 0:
            continue  # the bound also covers what the reference itself rounds
        point = [mpmath.mpf(case.x[i])] + [mpmath.mpf(beta[i]) for beta in case.beta]
        for k, expected in enumerate(case.values[i]):
            checks.near(evaluated(expressions[k], symbols, point), expected, bounds[k], f"sympy: {case.formula} at {case.x[i]}, result {k}")
            if own and k > 0:
                # Its terms cancel where ours are written so that they do not: the last of 30 digits remain.
                checks.near(evaluated(own[k - 1], symbols, point), expected, bounds[k] + 1e-26, f"sympy's derivative: {case.formula} at {case.x[i]}, result {k}")
checks.finish()
