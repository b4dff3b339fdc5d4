#!/usr/bin/env python3
"""How many of a race's best functions are of Swish's family, as Markdown: scripts/family_report.py DATABASE…

The rule goes by the curve. A function f, its parameters at 1 where training begins, is written as f(x) = g(x) · x. It is of the family if
the gate g

- never falls as x rises,
- does not jump, at 0 either,
- is about 0 far to the left, and far to the right comes to a bound (above 0, at most 10).

f(-x) will do as well as f(x): the weights before an activation can turn its sign. -f(x) will not. "About 0" is below a hundredth of the
bound.
The wide reading lets g begin anywhere below half of its bound, and overshoot the bound by a twentieth.

A race's first ten are those of its leaderboard (one seed each; equal scores share the tenth place). The finalists are the functions that
have every fresh seed of the fold that no search validates on. Their true means are drawn from a model of these trials: score = function +
seed + error. A mean deviates from its estimate by the error's deviation over the root of the seeds, and that deviation is drawn from what
its degrees of freedom leave open. No function is likelier beforehand than another. A draw's share is that of the family among the ten
highest of its means. The draws are seeded, so the same databases give the same numbers.
"""
import argparse
import functools
import math
import random
import sqlite3
import statistics

from result_statistics import incomplete_beta, quantile, t_quantile

DRAWS = 10_000
TOP = 10
FAR = [-1000.0, -100.0, -10.0]
NEAR = [(2 * k + 1) * 0.005 for k in range(-500, 500)]  # a hundredth apart, without 0
STEEP = 0.1  # of the bound, from one of these to the next: a jump
ROUNDING = 0.001  # of the bound, which counts as no fall


def exp(x):
    return math.inf if x > 700 else math.exp(x)


def sinh(x):
    return math.copysign(math.inf, x) if abs(x) > 700 else math.sinh(x)


WORDS = {
    "abs": abs, "max": max, "min": min, "exp": exp, "sinh": sinh, "cosh": lambda x: math.inf if abs(x) > 700 else math.cosh(x),
    "sigmoid": lambda x: 1 / (1 + exp(-x)), "softplus": lambda x: max(x, 0) + math.log1p(exp(-abs(x))), "tanh": math.tanh,
    "asinh": math.asinh, "atan": math.atan, "erf": math.erf, "sin": math.sin, "cos": math.cos, "sinc": lambda x: math.sin(x) / x if x else 1.0, "log": math.log,
    "square": lambda x: x * x, "cube": lambda x: x * x * x, "gauss": lambda x: exp(-x * x), "sqrt": math.sqrt,
    "beta": 1.0, **{f"beta{k}": 1.0 for k in range(4)}, "__builtins__": {},
}


def gate(code, sign, points):
    """g at the points, of f(x) or, with the sign -1, of f(-x); None where it is not finite."""
    values = []
    for x in points:
        try:
            values.append(eval(code, WORDS, {"x": sign * x}) / x)
        except (ArithmeticError, ValueError):
            return None
        if not math.isfinite(values[-1]):
            return None
    return values


def rises(code, sign, begin, overshoot):
    """Does a gate rise from at most `begin` of its bound to the bound, and at most `overshoot` of it beyond?"""
    ends = gate(code, sign, [FAR[0], -FAR[1], -FAR[0]])
    if not ends or not 0 < ends[2] <= 10 or abs(ends[1] - ends[2]) > 0.01 * ends[2] or abs(ends[0]) > begin * ends[2]:
        return False
    g = gate(code, sign, [*FAR, *NEAR, *(-x for x in reversed(FAR))])
    if not g or max(g) > (1 + overshoot) * g[-1]:
        return False
    steps = [(after - before) / g[-1] for before, after in zip(g, g[1:])]
    return min(steps[: g.index(max(g))], default=0) >= -ROUNDING and max(steps[len(FAR) : -len(FAR)]) <= STEEP


@functools.cache
def of_the_family(formula, wide=False):
    code = compile(formula, formula, "eval")
    return any(rises(code, sign, *((0.5, 0.05) if wide else (0.01, ROUNDING))) for sign in (1, -1))


class Race:
    """A database's race under its search's recipe, and its finalists."""

    def __init__(self, file):
        connection = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
        recipes = dict(connection.execute("SELECT recipe_id, text FROM recipes WHERE recipe_id IN (SELECT recipe_id FROM trials)"))
        fresh = next((recipe for recipe, text in recipes.items() if " fold=1" in text), None)
        search = next((recipe for recipe in recipes if recipe != fresh), None)
        if fresh is None or search is None:
            raise SystemExit(f"{file}: a search and its finalists are expected")
        self.functions = [row[0] for row in connection.execute("SELECT DISTINCT formula FROM trials WHERE recipe_id = ?", (search,))]
        done = "FROM trials WHERE recipe_id = ? AND status = 'done' ORDER BY"
        scored = connection.execute(f"SELECT formula, accuracy {done} accuracy DESC, formula", (search,)).fetchall()
        self.scored = [formula for formula, _ in scored]
        self.first = [formula for formula, accuracy in scored if accuracy >= scored[min(TOP, len(scored)) - 1][1]]
        scores = {}
        for formula, name, seed, accuracy in connection.execute(f"SELECT formula, name, seed, accuracy {done} formula, seed", (fresh,)):
            scores.setdefault((formula, name), {})[seed] = accuracy
        seeds = sorted(set().union(*scores.values()))
        whole = {key: [of[seed] for seed in seeds] for key, of in scores.items() if len(of) == len(seeds)}
        self.means = {formula: statistics.mean(of) for (formula, name), of in whole.items() if name != "relu"}
        overall = statistics.mean(statistics.mean(of) for of in whole.values())
        effects = [statistics.mean(column) - overall for column in zip(*whole.values())]
        squares = sum((score - statistics.mean(of) - effect) ** 2 for of in whole.values() for score, effect in zip(of, effects))
        self.seeds, self.degrees = len(seeds), (len(whole) - 1) * (len(seeds) - 1)
        self.error = math.sqrt(squares / self.degrees)
        self.best = sorted(self.means, key=lambda formula: (-self.means[formula], formula))[:TOP]

    def drawn(self):
        """The 95 % intervals of how many of the true ten best are of the family, by the rule and by its wide reading."""
        random_numbers = random.Random(0)
        formulas, means = list(self.means), list(self.means.values())
        readings = [[of_the_family(formula, wide) for formula in formulas] for wide in (False, True)]
        counts = [[], []]
        for _ in range(DRAWS):
            deviation = self.error * math.sqrt(self.degrees / random_numbers.gammavariate(self.degrees / 2, 2) / self.seeds)
            truth = [mean + deviation * random_numbers.gauss(0, 1) for mean in means]
            best = sorted(range(len(truth)), key=truth.__getitem__)[-TOP:]
            for belongs, counted in zip(readings, counts):
                counted.append(sum(belongs[k] for k in best))
        return [(ordered[round(0.025 * DRAWS)], ordered[round(0.975 * DRAWS) - 1]) for ordered in map(sorted, counts)]


def members(formulas, wide=False):
    return sum(of_the_family(formula, wide) for formula in formulas)


def of_few(values):
    """The mean of few values, and half of the 95 % interval (Student's t) of that mean and of another such value."""
    mean, deviation, n = statistics.mean(values), statistics.stdev(values), len(values)
    t = t_quantile(0.975, n - 1)
    return mean, t * deviation / math.sqrt(n), t * deviation * math.sqrt(1 + 1 / n)


def share(successes, n):
    """The 95 % interval of a share, by Clopper and Pearson."""
    low = quantile(lambda p: incomplete_beta(successes, n - successes + 1, p), 0.025, 0.0, 1.0) if successes else 0.0
    high = quantile(lambda p: incomplete_beta(successes + 1, n - successes, p), 0.975, 0.0, 1.0) if successes < n else 1.0
    return low, high


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("databases", nargs="+", metavar="DATABASE")
    races = [Race(file) for file in parser.parse_args().databases]
    print("| search | finalists | first ten | fresh ten | 95 % | wide: first ten | fresh ten | 95 % |\n| --- |" + " ---: |" * 7)
    for number, race in enumerate(races, 1):
        print(f"| {number} | {members(race.means)} of {len(race.means)}", end="")
        for wide, (low, high) in zip((False, True), race.drawn()):
            print(f" | {members(race.first, wide)} of {len(race.first)} | {members(race.best, wide)} of {TOP} | {low} to {high}", end="")
        print(" |")
    print("\n| search | functions | of the family | % | with a score | of the family | % | error, points | degrees of freedom |")
    print("| --- |" + " ---: |" * 8)
    for number, race in enumerate(races, 1):
        tried, scored = members(race.functions), members(race.scored)
        print(f"| {number} | {len(race.functions)} | {tried} | {100 * tried / len(race.functions):.1f} | {len(race.scored)} | {scored} | "
              f"{100 * scored / len(race.scored):.1f} | {100 * race.error:.2f} | {race.degrees} |")
    shares = [members(race.best) / TOP for race in races]
    print("\n| searches | mean share, % | 95 % from | to | of another search, from | to | mostly of the family | 95 % from | to |")
    print("| --- |" + " ---: |" * 8)
    for name, values in (("all", shares), ("without the first", shares[1:])):
        if len(values) > 1:
            mean, half, another = of_few(values)
            most = sum(value > 0.5 for value in values)
            ends = [max(0, mean - half), min(1, mean + half), max(0, mean - another), min(1, mean + another)]
            print(f"| {name} | {100 * mean:.1f} | " + " | ".join(f"{100 * end:.1f}" for end in ends) + f" | {most} of {len(values)} | "
                  + " | ".join(f"{100 * end:.1f}" for end in share(most, len(values))) + " |")


if __name__ == "__main__":
    main()
