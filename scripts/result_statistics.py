"""The statistics of docs/results as functions of SQL: install(connection) adds them to an SQLite connection.

Aggregates, which skip NULLs and are NULL where there is too little data:

    stdev(x), variance(x)            of a sample
    half_width(x)                    half of the mean's 95 % interval, Student's t
    p_value(x)                       two-sided p of the mean against 0, Student's t (of differences: the paired t test)
    correlation(x, y)                Pearson's
    spearman(x, y)                   Pearson's of the ranks; equal values share theirs

Functions:

    t_quantile(p, degrees)           x below which Student's t lies with probability p
    t_p_value(t, degrees)            two-sided
    chi_square_quantile(p, degrees)
    studentized_range_quantile(p, means, degrees)   of Tukey's test
    fisher(rho, n, sign)             the low (sign -1) or high (+1) end of a correlation's 95 % interval, by Fisher's z
    fisher_spearman(rho, n, sign)    the same with Spearman's larger variance (Bonett and Wright, 2000)
    holm(p, all)                     p corrected for as many comparisons as the JSON list `all` holds p of, by Holm
    sqrt(x)
"""
import json
import math
import statistics

from early_report import spearman


def incomplete_beta(a, b, x):
    """The regularised incomplete beta function, by its continued fraction (modified Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction would converge slowly
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d, fraction = 1.0, 1 / (1 - (a + b) * x / (a + 1)), 1 / (1 - (a + b) * x / (a + 1))
    for m in range(1, 1000):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d, c = 1 / (1 + term * d), 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction


def incomplete_gamma(a, x):
    """The regularised lower incomplete gamma function, by its series."""
    if x <= 0:
        return 0.0
    term = total = 1 / a
    n = a
    while term > total * 1e-16:
        n += 1
        term *= x / n
        total += term
    return total * math.exp(a * math.log(x) - x - math.lgamma(a))


def quantile(distribution, p, low, high):
    """Where the distribution function, which rises, takes the value p: by bisection."""
    while distribution(high) < p:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if distribution(middle) < p else (low, middle)
    return (low + high) / 2


def t_p_value(t, degrees):
    return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))


def t_quantile(p, degrees):
    if p < 0.5:
        return -t_quantile(1 - p, degrees)
    return quantile(lambda t: 1 - t_p_value(t, degrees) / 2, p, 0.0, 1.0)


def chi_square_quantile(p, degrees):
    return quantile(lambda x: incomplete_gamma(degrees / 2, x / 2), p, 0.0, 1.0)


def simpson(function, low, high, intervals):
    step = (high - low) / intervals
    return step / 3 * sum((1 if k in (0, intervals) else 4 if k % 2 else 2) * function(low + k * step) for k in range(intervals + 1))


def studentized_range(q, means, degrees):
    """The distribution function of the range of so many normal values over an independent deviation of so many degrees of freedom."""

    def of_known_deviation(width):
        phi = statistics.NormalDist()
        return means * simpson(lambda z: phi.pdf(z) * (phi.cdf(z) - phi.cdf(z - width)) ** (means - 1), -6.0, 6.0 + width, 80)

    def density(s):  # of a deviation whose true value is 1
        if s <= 0:
            return 0.0
        return 2 * math.exp(degrees / 2 * math.log(degrees / 2) - math.lgamma(degrees / 2) + (degrees - 1) * math.log(s) - degrees * s * s / 2)

    spread = 6 / math.sqrt(2 * degrees)
    return simpson(lambda s: density(s) * of_known_deviation(q * s) if s > 0 else 0.0, max(0.0, 1 - spread), 1 + spread, 40)


def studentized_range_quantile(p, means, degrees):
    low, high = 0.0, 20.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if studentized_range(middle, means, degrees) < p else (low, middle)
    return low


def half_width(values):
    return t_quantile(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))


def p_value(values):
    deviation = statistics.stdev(values)
    return t_p_value(statistics.mean(values) / (deviation / math.sqrt(len(values))), len(values) - 1) if deviation else None


def fisher(rho, n, sign, variance=1.0):
    return math.tanh(math.atanh(rho) + sign * 1.959964 * math.sqrt(variance / (n - 3)))


def holm(p, every):
    """p corrected by Holm's step-down procedure for the comparisons of the JSON list `every`."""
    if p is None:
        return None
    ordered = sorted(other for other in json.loads(every) if other is not None)
    return max(min(1.0, other * (len(ordered) - place)) for place, other in enumerate(ordered) if other <= p * (1 + 1e-9))  # JSON rounds


def aggregate(function, least, arguments=1):
    """The class that sqlite3 wants of an aggregate: `function` of the values, or of a list for each of two arguments."""

    class Aggregate:
        def __init__(self):
            self.rows = []

        def step(self, *row):
            if None not in row:
                self.rows.append(row)

        def finalize(self):
            if len(self.rows) < least:
                return None
            return function(*map(list, zip(*self.rows)))

    return arguments, Aggregate


AGGREGATES = {
    "stdev": aggregate(statistics.stdev, 2),
    "variance": aggregate(statistics.variance, 2),
    "half_width": aggregate(half_width, 2),
    "p_value": aggregate(p_value, 2),
    "correlation": aggregate(statistics.correlation, 3, 2),
    "spearman": aggregate(spearman, 3, 2),
}

FUNCTIONS = {
    "t_quantile": (2, t_quantile),
    "t_p_value": (2, t_p_value),
    "chi_square_quantile": (2, chi_square_quantile),
    "studentized_range_quantile": (3, studentized_range_quantile),
    "fisher": (3, fisher),
    "fisher_spearman": (3, lambda rho, n, sign: fisher(rho, n, sign, 1 + rho * rho / 2)),
    "holm": (2, holm),
    "sqrt": (1, lambda x: None if x is None else math.sqrt(x)),
}


def install(connection):
    for name, (arguments, made) in AGGREGATES.items():
        connection.create_aggregate(name, arguments, made)
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)
