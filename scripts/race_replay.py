#!/usr/bin/env python3
"""Races replayed on stored results, as Markdown: what rungs and eta cost and keep.

    scripts/race_replay.py DATABASE LOSSES [--orders N] [--overhead STEPS] [--race RUNGS:ETA ...]

LOSSES is the CSV of bench/early_losses over DATABASE. Each order is a shuffle of the trials of both (one seed each); a race runs through it as
`actsearch search --racing --promote-by loss --jobs 1` does, one stretch at a time: whoever is among the best 1/eta at a rung goes on, the highest rung first, else
the next candidate begins. Costs are training steps, so exact; each stretch of a race costs OVERHEAD steps more, for its set-up and checkpoint.
Beside it, full proxies of the first candidates of the same order for the same steps. Top 10: the ten best final accuracies of all.

Once with all trials, and once with those that have no name (the others were chosen, not drawn, so a search meets fewer like them) and, one at a
time among them, the functions of --watch: how often each comes to the end.
"""
import argparse
import random
import statistics

from early_report import STRETCHES_AN_EPOCH, TOP, read_losses

DEFAULT = ["1:5", "0.5:5", "0.125,0.5:2", "0.0625,0.5:2", "0.0625,0.5:3", "0.0625,0.5:3.2", "0.0625,0.5:4", "0.125,0.5:3", "0.125,0.5:4", "0.125,1:3",
           "0.0625,1:3", "0.0625,0.25,1:2", "0.0625,0.25,2:2", "0.0625,0.25,0.5:2", "0.0625,0.25,0.5:2.2", "0.0625,0.25,0.5:2.5",
           "0.0625,0.1875,0.5:2.2", "0.125,0.25,0.5:2.2", "0.0625,0.125,0.25,0.5:2"]


class Race:
    def __init__(self, trials, rungs, eta, overhead):
        self.trials, self.rungs, self.eta, self.overhead = trials, rungs, eta, overhead
        self.at = [[] for _ in rungs]  # (loss, trial), of all who have come there
        self.left = [set() for _ in rungs]  # those who have gone on from there
        self.spent, self.seen, self.finished = 0, 0, []

    def train(self, i, rung):
        """From rung - 1 to rung; the end for the rung after the last."""
        trial = self.trials[i]
        begin = self.rungs[rung - 1] * trial.epoch_steps if rung else 0
        end = self.rungs[rung] * trial.epoch_steps if rung < len(self.rungs) else trial.steps
        stop = min(end, trial.failed_at) if trial.failed_at is not None else end
        self.spent += round(stop) - round(begin) + self.overhead
        if trial.failed_at is not None and trial.failed_at <= end:
            return
        if rung < len(self.rungs):
            self.at[rung].append((trial.loss(self.rungs[rung]), i))
        else:
            self.finished.append(i)

    def promoted(self):
        for rung in reversed(range(len(self.rungs))):
            here = sorted(self.at[rung])
            for _, i in here[: int(len(here) / self.eta)]:
                if i not in self.left[rung]:
                    self.left[rung].add(i)
                    return i, rung + 1
        return None

    def run(self, order):
        waiting = iter(order)
        while True:
            task = self.promoted()
            if task is None:
                fresh = next(waiting, None)
                if fresh is None:
                    return self
                self.seen += 1
                task = fresh, 0
            self.train(*task)


def full_proxies(trials, order, steps):
    """Those that are trained to the end one after the other for so many steps."""
    done = []
    for i in order:
        steps -= trials[i].cost()
        if steps < 0:
            break
        if trials[i].final is not None:
            done.append(i)
    return done


def mean_of_best(trials, found):
    best = sorted((trials[i].final for i in found), reverse=True)[:TOP]
    return 100 * statistics.mean(best) if len(best) == TOP else None


def interval(values, orders):
    """Where an order has no value, it found fewer than ten."""
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}" if len(values) == orders else ""


def replay(trials, races, orders, overhead):
    """Prints a table with a row for each race."""
    finished = [i for i, trial in enumerate(trials) if trial.final is not None]
    top = set(sorted(finished, key=lambda i: -trials[i].final)[:TOP])
    all_steps = sum(trial.cost() for trial in trials)
    print(f"{len(trials)} candidates, {len(finished)} of which come to the end in full, {all_steps / len(trials):.0f} steps each on average; the ten best "
          f"have {mean_of_best(trials, finished):.2f} % on average.\n")
    print("| rungs, epochs | η | candidates for the cost of one full proxy | come to the end | of the top 10 | mean of the ten best found, % | "
          "full proxies at the same cost: of the top 10 | mean of the ten best, % |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for rungs, eta in races:
        generator = random.Random(1)
        gain, ends, kept, best, full_kept, full_best = [], [], [], [], [], []
        for _ in range(orders):
            order = generator.sample(range(len(trials)), len(trials))
            ran = Race(trials, rungs, eta, overhead).run(order)
            full = full_proxies(trials, order, ran.spent)
            gain.append(all_steps / ran.spent)
            ends.append(len(ran.finished))
            kept.append(len(top & set(ran.finished)))
            full_kept.append(len(top & set(full)))
            for found, means in ((ran.finished, best), (full, full_best)):
                mean = mean_of_best(trials, found)
                if mean is not None:
                    means.append(mean)
        print(f"| {', '.join(f'{rung:g}' for rung in rungs)} | {eta:g} | {statistics.mean(gain):.2f} | {statistics.mean(ends):.1f} | {interval(kept, orders)} | "
              f"{interval(best, orders)} | {interval(full_kept, orders)} | {interval(full_best, orders)} |")


def watch(trials, names, races, orders):
    """Prints how often each of the named functions that there are comes to the end of a race against those without a name."""
    names = [name for name in names if any(trial.name == name for trial in trials)]
    others = [trial for trial in trials if not trial.name]
    print(f"| rungs, epochs | η | {' | '.join(names)} |")
    print("| --- | ---: |" + " ---: |" * len(names))
    for rungs, eta in races:
        shares = []
        for name in names:
            field = others + [trial for trial in trials if trial.name == name]
            generator = random.Random(1)
            ends = sum(len(others) in Race(field, rungs, eta, 0).run(generator.sample(range(len(field)), len(field))).finished for _ in range(orders))
            shares.append(f"{100 * ends / orders:.0f} %")
        print(f"| {', '.join(f'{rung:g}' for rung in rungs)} | {eta:g} | {' | '.join(shares)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("losses")
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--overhead", type=float, default=0)
    parser.add_argument("--watch", default="swish1,swish,gelu,relu")
    parser.add_argument("--race", action="append", help=f"such as 0.125,0.5:4; rungs in {STRETCHES_AN_EPOCH}ths of an epoch up to a half, or whole epochs")
    arguments = parser.parse_args()
    races = [([float(rung) for rung in race.split(":")[0].split(",")], float(race.split(":")[1])) for race in arguments.race or DEFAULT]
    trials = read_losses(arguments.database, arguments.losses)
    replay(trials, races, arguments.orders, arguments.overhead)
    print()
    replay([trial for trial in trials if not trial.name], races, arguments.orders, arguments.overhead)
    print()
    watch(trials, arguments.watch.split(","), races, arguments.orders)


if __name__ == "__main__":
    main()
