#!/usr/bin/env python3
"""How well an early epoch of a trial predicts its end, as Markdown: what racing should promote by.

    scripts/early_report.py DATABASE [--recipe NAME] [--losses CSV]

Over all finished trials of the lowest seed under the recipe with the most trials (or NAME's): Spearman's rank correlation of each early
statistic with the final validation accuracy, over all of them and over the better half, and how many of the final top 10 are among the
first third, quarter and fifth by the statistic. With the CSV of bench/early_losses also within the first epoch.
"""
import argparse
import csv
import re
import sqlite3

TOP = 10
STRETCHES_AN_EPOCH = 32  # of bench/early_losses


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


class Trial:
    """What is known of a candidate: stretches' losses in its first half epoch, whole epochs' losses, how it ended."""

    def __init__(self, name, stretches, epoch_losses, final, failed_at, epoch_steps, epochs):
        self.name, self.stretches, self.epoch_losses = name, stretches, epoch_losses  # the name is empty where it is not well-known
        self.final, self.failed_at = final, failed_at  # accuracy, or the step where its loss was not finite
        self.epoch_steps, self.steps = epoch_steps, epochs * epoch_steps

    def cost(self):
        """Steps that it takes in full."""
        return self.steps if self.failed_at is None else self.failed_at

    def loss(self, epochs, window=0.5):
        """The mean over the last part `window` of the steps until then, as racing takes it; after whole epochs, over the last of them."""
        if epochs == int(epochs):
            return self.epoch_losses[int(epochs) - 1]
        end = round(epochs * STRETCHES_AN_EPOCH)
        part = self.stretches[end - max(1, round(end * window)) : end]
        return sum(part) / len(part)


def read_losses(database, losses):
    """The trials of bench/early_losses with what the database holds of them, in its order."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = list(csv.reader(open(losses, encoding="utf-8")))
    stretch_steps = int(rows[0][1])
    place = re.compile(r"in epoch (\d+) at step (\d+) of (\d+)")
    details = {trial: place.search(detail) for trial, detail in connection.execute("SELECT trial, detail FROM failures")}
    stored = {trial for trial, in connection.execute("SELECT trial FROM trials WHERE status IN ('done', 'failed')")}
    if not stored.issuperset(int(row[0]) for row in rows[1:]) or not any(details.values()):
        raise SystemExit(f"{losses} is of other trials than {database}")
    epoch_steps = int(next(match for match in details.values() if match)[3])
    epochs = connection.execute("SELECT max(epochs) FROM trials WHERE status = 'done' AND trial = ?", (rows[1][0],)).fetchone()[0]
    trials = []
    for row in rows[1:]:
        trial = int(row[0])
        stretches = [float(cell) for cell in row[1:] if cell]
        final = connection.execute("SELECT accuracy FROM trials WHERE trial = ? AND status = 'done'", (trial,)).fetchone()
        curve = [loss for loss, in connection.execute("SELECT train_loss FROM epochs WHERE trial = ? ORDER BY epoch", (trial,))]
        failed_at = None
        if final is None:
            failed_at = int(details[trial][1]) * epoch_steps + int(details[trial][2])
            # Trained again, it may have come a little further, or not as far: the stretches are what a race would see.
            known = len(stretches) * stretch_steps
            failed_at = max(failed_at, known) if len(stretches) == len(row) - 1 else min(max(failed_at, known), known + stretch_steps - 1)
        name = connection.execute("SELECT name FROM trials WHERE trial = ?", (trial,)).fetchone()[0]
        trials.append(Trial(name, stretches, curve, final and final[0], failed_at, epoch_steps, epochs))
    return trials


def kept_by(values, best):
    """Of the best, how many are among the first third, quarter and fifth by the values."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return ", ".join(str(len(best & set(order[: len(order) // share]))) for share in (3, 4, 5))


def print_row(when, title, values, final, best, better_half):
    half = spearman([values[i] for i in better_half], [final[i] for i in better_half])
    print(f"| {when} | {title} | {spearman(values, final):.3f} | {half:.3f} | {kept_by(values, best)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("--recipe")
    parser.add_argument("--losses")
    arguments = parser.parse_args()
    name, trials = read(sqlite3.connect(f"file:{arguments.database}?mode=ro", uri=True), arguments.recipe)
    length = len(trials[0])
    final = [epochs[-1][1] for epochs in trials]
    best = set(sorted(range(len(trials)), key=lambda i: -final[i])[:TOP])
    better_half = sorted(range(len(trials)), key=lambda i: -final[i])[: (len(trials) + 1) // 2]

    print(f"{name}, {length} epochs, {len(trials)} finished trials of different functions, one seed.\n")
    print("| after epoch | statistic | rank correlation | over the better half | of the final top 10 in the first third, quarter, fifth |")
    print("| ---: | --- | ---: | ---: | ---: |")
    if arguments.losses:
        early = [trial for trial in read_losses(arguments.database, arguments.losses) if trial.final is not None]
        ends = [trial.final for trial in early]
        if sorted(ends) != sorted(final):
            raise SystemExit(f"{arguments.losses} is of other trials than {arguments.database}")
        ranking = sorted(range(len(early)), key=lambda i: -ends[i])
        for when, part in (("1/16", 0.0625), ("1/8", 0.125), ("1/4", 0.25), ("1/2", 0.5)):
            for title, window in (("all steps", 1), ("later half", 0.5), ("last quarter", 0.25)):
                if part * STRETCHES_AN_EPOCH * window >= 1:
                    values = [-trial.loss(part, window) for trial in early]
                    print_row(when, f"training loss, {title}", values, ends, set(ranking[:TOP]), ranking[: (len(early) + 1) // 2])
    for epoch in range(length - 1):
        statistics = {
            "validation accuracy": [epochs[epoch][1] for epochs in trials],
            "training loss": [-epochs[epoch][0] for epochs in trials],
            "training loss, summed": [-sum(loss for loss, _ in epochs[: epoch + 1]) for epochs in trials],
        }
        for title, values in statistics.items():
            if epoch == 0 and title.endswith("summed"):
                continue
            print_row(epoch + 1, title, values, final, best, better_half)


if __name__ == "__main__":
    main()
