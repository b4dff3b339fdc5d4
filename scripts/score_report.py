#!/usr/bin/env python3
"""Which score of a short training foretells a longer one, as Markdown: scripts/score_report.py DATABASE [--epochs SHORT LONG]

Every function of the database has trials of SHORT epochs and, with other seeds, of LONG epochs, under conditions that are the same otherwise.
The truth of a function is the mean accuracy of its LONG trials. Each score of a single SHORT trial is compared with it: Spearman's rank
correlation, mean over the SHORT seeds. Intervals are bootstrapped over the functions.
"""
import argparse
import random
import sqlite3
import statistics

from early_report import spearman

RESAMPLES = 2000


def read(database, short, long):
    """{formula: {seed: (accuracy, validation loss, training loss)}} of the short and of the long trials, after their last epoch."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    found = {short: {}, long: {}}
    for formula, seed, epochs, *values in connection.execute(
            "SELECT t.formula, t.seed, t.epochs, e.validation_accuracy, e.validation_loss, e.train_loss FROM trials t JOIN epochs e"
            " ON e.trial = t.trial AND e.epoch = t.epochs - 1 WHERE t.status = 'done' ORDER BY t.trial"):
        if epochs in found:
            found[epochs].setdefault(formula, {})[seed] = values
    return found[short], found[long]


SCORES = {
    "accuracy": lambda accuracy, loss, train: accuracy,
    "validation loss": lambda accuracy, loss, train: -loss,
    "training loss": lambda accuracy, loss, train: -train,
    "both losses together": lambda accuracy, loss, train: -loss - train,
}


def agreement(scores, truth, formulas):
    """Spearman's ρ of one seed with the truth, mean over the seeds."""
    wanted = [truth[f] for f in formulas]
    seeds = len(scores[formulas[0]])
    return statistics.mean(spearman([scores[f][k] for f in formulas], wanted) for k in range(seeds))


def difference(ours, theirs, truth, formulas):
    """The difference of two scores' agreement, with its 95 % interval."""
    draw = random.Random(0)
    drawn = []
    for _ in range(RESAMPLES):
        sample = draw.choices(formulas, k=len(formulas))
        drawn.append(agreement(ours, truth, sample) - agreement(theirs, truth, sample))
    drawn.sort()
    return agreement(ours, truth, formulas) - agreement(theirs, truth, formulas), drawn[round(0.025 * RESAMPLES)], drawn[round(0.975 * RESAMPLES) - 1]


def signal_to_noise(scores):
    """The deviation of functions beside that of a seed."""
    seeds = len(next(iter(scores.values())))
    noise = statistics.mean(statistics.variance(values) for values in scores.values())
    signal = statistics.variance(statistics.mean(values) for values in scores.values()) - noise / seeds
    return (max(signal, 0) / noise) ** 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("--epochs", type=int, nargs=2, default=[3, 10], metavar=("SHORT", "LONG"))
    arguments = parser.parse_args()
    short, long = read(arguments.database, *arguments.epochs)
    formulas = [f for f in short if f in long]
    truth = {f: round(statistics.mean(values[0] for values in long[f].values()), 9) for f in formulas}  # so that equal means are equal
    upper = sorted(formulas, key=lambda f: (-truth[f], f))[:len(formulas) // 2]
    sets = {"all": formulas, "upper half": upper}
    scores = {name: {f: [score(*short[f][seed]) for seed in sorted(short[f])] for f in formulas} for name, score in SCORES.items()}

    seeds = len(next(iter(short.values())))
    print(f"{len(formulas)} functions, {seeds} seeds of each length. Deviation of a seed after {arguments.epochs[1]} epochs: "
          f"{100 * statistics.mean(statistics.variance(v[0] for v in long[f].values()) for f in formulas) ** 0.5:.2f} points.\n")
    print("| score | " + " | ".join(f"ρ, {name} (n = {len(members)})" for name, members in sets.items()) + " | signal/noise | regret of its best five, points |")
    print("| --- |" + " ---: |" * (len(sets) + 2))
    best = max(truth.values())
    for name, of in scores.items():
        regrets = [best - max(truth[f] for f in sorted(formulas, key=lambda f: -of[f][k])[:5]) for k in range(seeds)]
        print(f"| {name} | " + " | ".join(f"{agreement(of, truth, members):.2f}" for members in sets.values())
              + f" | {signal_to_noise(of):.2f} | {100 * statistics.mean(regrets):.2f} |")
    print("\n| less that of accuracy | " + " | ".join(sets) + " |\n| --- |" + " ---: |" * len(sets))
    for name, of in scores.items():
        if name == "accuracy":
            continue
        cells = ("{:+.2f} ({:+.2f} to {:+.2f})".format(*difference(of, scores["accuracy"], truth, members)) for members in sets.values())
        print(f"| {name} | " + " | ".join(cells).replace("-", "−") + " |")
    print(f"\n| function | accuracy after {arguments.epochs[1]} epochs, % | validation loss | after {arguments.epochs[0]}: accuracy, % | validation loss |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for f in sorted(formulas, key=lambda f: (-truth[f], f))[:10]:
        loss = statistics.mean(values[1] for values in long[f].values())
        print(f"| `{f}` | {100 * truth[f]:.2f} | {loss:.3f} | {100 * statistics.mean(scores['accuracy'][f]):.2f} | {-statistics.mean(scores['validation loss'][f]):.3f} |")


if __name__ == "__main__":
    main()
