#!/usr/bin/env python3
"""How well an early epoch of a trial predicts its end, as Markdown: what racing should promote by.

    scripts/early_report.py DATABASE [--recipe NAME]

Over all finished trials of the lowest seed under the recipe with the most trials (or NAME's): Spearman's rank correlation of each early
statistic with the final validation accuracy, over all of them and over the better half, and how many of the final top 10 are among the
first third, quarter and fifth by the statistic.
"""
import argparse
import sqlite3

TOP = 10


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for place in order[first : last + 1]:
            result[place] = (first + last) / 2  # equal values share their ranks
        first = last + 1
    return result


def spearman(x, y):
    a, b = ranks(x), ranks(y)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    covariance = sum((p - mean_a) * (q - mean_b) for p, q in zip(a, b))
    return covariance / (sum((p - mean_a) ** 2 for p in a) * sum((q - mean_b) ** 2 for q in b)) ** 0.5


def read(connection, recipe):
    """Each trial as a list of its epochs' (training loss, validation accuracy)."""
    name = recipe or connection.execute("SELECT recipe FROM recipes ORDER BY done DESC LIMIT 1").fetchone()[0]
    rows = connection.execute(
        "SELECT e.trial, e.train_loss, e.validation_accuracy FROM epochs e JOIN trials t ON t.trial = e.trial WHERE t.status = 'done'"
        " AND t.recipe = ?1 AND t.seed = (SELECT min(seed) FROM trials WHERE recipe = ?1) ORDER BY e.trial, e.epoch",
        (name,),
    )
    trials = {}
    for trial, loss, accuracy in rows:
        trials.setdefault(trial, []).append((loss, accuracy))
    length = max(map(len, trials.values()))
    return name, [epochs for epochs in trials.values() if len(epochs) == length]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("--recipe")
    arguments = parser.parse_args()
    name, trials = read(sqlite3.connect(f"file:{arguments.database}?mode=ro", uri=True), arguments.recipe)
    length = len(trials[0])
    final = [epochs[-1][1] for epochs in trials]
    best = set(sorted(range(len(trials)), key=lambda i: -final[i])[:TOP])
    better_half = sorted(range(len(trials)), key=lambda i: -final[i])[: (len(trials) + 1) // 2]

    print(f"{name}, {length} epochs, {len(trials)} finished trials of different functions, one seed.\n")
    print("| after epoch | statistic | rank correlation | over the better half | of the final top 10 in the first third, quarter, fifth |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for epoch in range(length - 1):
        statistics = {
            "validation accuracy": [epochs[epoch][1] for epochs in trials],
            "training loss": [-epochs[epoch][0] for epochs in trials],
            "training loss, summed": [-sum(loss for loss, _ in epochs[: epoch + 1]) for epochs in trials],
        }
        for title, values in statistics.items():
            if epoch == 0 and title.endswith("summed"):
                continue
            order = sorted(range(len(trials)), key=lambda i: -values[i])
            kept = ", ".join(str(len(best & set(order[: len(order) // share]))) for share in (3, 4, 5))
            half = spearman([values[i] for i in better_half], [final[i] for i in better_half])
            print(f"| {epoch + 1} | {title} | {spearman(values, final):.3f} | {half:.3f} | {kept} |")


if __name__ == "__main__":
    main()
