#!/usr/bin/env python3
"""How far designs of a quick fidelity agree with the default proxy, as Markdown.

    scripts/quick_report.py DATABASE CSV…

DATABASE has the default proxy's scores; each CSV is bench/quick_designs's output. Of every design, over the functions that finished under
both: Spearman's rank correlation of its accuracy, and of its validation loss, with the stored accuracy of the lowest seed, over all of them
and over the better half by the stored accuracy, with 95 % intervals by Fisher's z; the processor time of a trial; and what became
of functions that one of the two could not train. Where a design has several seeds of named functions, how often each is above ReLU.
"""
import argparse
import collections
import csv
import math
import sqlite3
import statistics
import sys

from early_report import spearman


def stored_scores(database):
    """Accuracy of each finished function's lowest seed under the recipe with the most trials, by formula."""
    connection = sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)
    rows = connection.execute(
        "SELECT formula, accuracy, min(seed) FROM trials WHERE status = 'done' AND"
        " recipe_id = (SELECT recipe_id FROM recipes ORDER BY done DESC LIMIT 1) GROUP BY formula"
    )
    return {formula: accuracy for formula, accuracy, _ in rows}


def interval(rho, n):
    """95 % by Fisher's z, with Spearman's larger variance (Bonett and Wright, 2000)."""
    if n < 5 or abs(rho) >= 1:
        return "n too small"
    z, deviation = math.atanh(rho), math.sqrt((1 + rho * rho / 2) / (n - 3))
    return f"{math.tanh(z - 1.96 * deviation):.2f} to {math.tanh(z + 1.96 * deviation):.2f}"


def agreement(pairs):
    rho = spearman([a for a, _ in pairs], [b for _, b in pairs])
    return f"{rho:.2f} ({interval(rho, len(pairs))})"


def report(design, rows, stored):
    first = {row["formula"]: row for row in rows if row["seed"] == "0"}
    done = [(row, stored[formula]) for formula, row in first.items() if row["accuracy"] and formula in stored]
    done.sort(key=lambda pair: -pair[1])
    by_accuracy = [(float(row["accuracy"]), score) for row, score in done]
    by_loss = [(-float(row["validation_loss"]), score) for row, score in done]
    half = (len(done) + 1) // 2
    seconds = sorted(float(row["seconds"]) for row, _ in done)
    failed = sum(not row["accuracy"] for row in first.values())
    return (
        f"| {design} | {len(done)} | {failed} | {statistics.median(seconds):.1f}, {seconds[-1]:.1f} | {agreement(by_accuracy)} | "
        f"{agreement(by_accuracy[:half])} | {agreement(by_loss)} | {agreement(by_loss[:half])} |"
    )


def above_relu(rows):
    """{name: (seeds in which it is above ReLU, seeds)} for names with several seeds."""
    seeds = collections.defaultdict(dict)
    for row in rows:
        if row["name"] and row["accuracy"]:
            seeds[row["name"]][row["seed"]] = float(row["accuracy"])
    relu = seeds.get("relu", {})
    counts = {}
    for name, scores in seeds.items():
        common = scores.keys() & relu.keys()
        if name != "relu" and len(common) > 1:
            differences = [100 * (scores[seed] - relu[seed]) for seed in common]
            counts[name] = (sum(d > 0 for d in differences), len(common), statistics.mean(differences), statistics.stdev(differences))
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("csv", nargs="+")
    arguments = parser.parse_args()
    stored = stored_scores(arguments.database)
    designs = collections.defaultdict(list)
    for file in arguments.csv:
        with open(file, newline="") as text:
            for row in csv.DictReader(text):
                designs[row["design"]].append(row)
    if not designs:
        sys.exit("quick_report.py: the files have no rows")
    print("| design | n | failed | processor seconds: median, most | ρ of accuracy, all (95 %) | better half | ρ of validation loss, all | better half |")
    print("| --- | ---: | ---: | ---: | --- | --- | --- | --- |")
    for design, rows in designs.items():
        print(report(design, rows, stored))
    for design, rows in designs.items():
        for name, (above, n, mean, deviation) in sorted(above_relu(rows).items(), key=lambda item: -item[1][2]):
            print(f"\n{design}: {name} is above ReLU in {above} of {n} seeds, by {mean:+.2f} points (sd of the difference {deviation:.2f})")


if __name__ == "__main__":
    main()
