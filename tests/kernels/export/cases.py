"""What the checks of the frameworks share: the formulas with their points and values, and a comparison that counts."""
import importlib.util
import json
import math
import pathlib
import sys


class Case:
    """One formula. Lists go over its points; values and bounds are [y, dy/dx, dy/dbeta0, …] of a point, NaN and None where there are none."""

    def __init__(self, folder, record):
        self.path = folder / "exported" / record["name"]
        self.name, self.class_name, self.formula = record["name"], record["class"], record["formula"]
        self.parameters, self.safe = record["parameters"], record["safe"]
        points = record["points"]
        self.x = [number(p["x"]) for p in points]
        self.beta = [[p["beta"][k] for p in points] for k in range(self.parameters)]  # by parameter
        self.values = [[number(v) for v in p["values"]] for p in points]
        self.bounds = {precision: [p[precision] for p in points] for precision in ("single", "double")}

    def load(self):
        """The exported file as a Python module."""
        spec = importlib.util.spec_from_file_location(self.name, str(self.path) + ".py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


class Checks:
    def __init__(self):
        self.compared, self.wrong = 0, 0

    def near(self, got, expected, allowed, what):
        self.true(abs(got - expected) <= allowed, f"{what}: {got!r} instead of {expected!r}, allowed {allowed:.3g}")

    def true(self, right, what):
        self.compared += 1
        if not right:
            self.wrong += 1
            print(what)

    def points(self, case, results, precision, what, factor=1.0):
        """results[i] is [y, dy/dx, …] of point i. What is NaN for x = NaN must be; elsewhere the bound holds."""
        for i, (expected, bounds) in enumerate(zip(case.values, case.bounds[precision])):
            for k, value in enumerate(expected):
                where = f"{what}: {case.formula} at {case.x[i]}, result {k}"
                if math.isnan(case.x[i]):
                    self.true(math.isnan(results[i][k]) == math.isnan(value), f"{where}: {results[i][k]!r} of NaN")
                elif bounds is not None:
                    self.near(results[i][k], value, factor * bounds[k], where)

    def far(self, case, values, what):
        """Of a formula that is safe far out: relatively accurate in single precision, to twelve roundings (frameworks' functions are good to a few
        each); denormals may be taken for 0."""
        for x, value, expected in zip(case.x, values, case.values):
            if case.safe and abs(x) > 10:
                allowed = 12 * 2.0**-24 * abs(expected[0]) + abs(x) * 2.0**-126
                self.near(value, expected[0], allowed, f"{what}, far out: {case.formula} at {x}")

    def halves(self, case, results, rounding, tiny, largest, what):
        """Of half precision: computed in single precision and rounded once, where half precision can hold the value."""
        for i, (expected, bounds) in enumerate(zip(case.values, case.bounds["single"])):
            for k, value in enumerate(expected):
                if bounds is not None and abs(value) + bounds[k] < largest:
                    self.near(results[i][k], value, bounds[k] + rounding * abs(value) + tiny, f"{what}: {case.formula} at {case.x[i]}, result {k}")

    def finish(self):
        print(f"compared {self.compared}")
        sys.exit(1 if self.wrong or not self.compared else 0)


def number(value):
    return math.nan if value is None else value


def cases():
    folder = pathlib.Path(sys.argv[1])
    return [Case(folder, record) for record in json.loads((folder / "cases.json").read_text())]
