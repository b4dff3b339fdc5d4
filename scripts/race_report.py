#!/usr/bin/env python3
"""What a raced search has seen, as Markdown: scripts/race_report.py DATABASE [--recipe NAME] [--full DATABASE]

How far its candidates came, the 20 best of those who came to the end, why others failed, and every well-known function: its place at each
rung and at the end. All trials of the lowest seed under the recipe with the most finished trials (or NAME's). --full: another database, whose
trials under the same conditions all ran to the end; of the functions of both, how many of its best the race sent there.
"""
import argparse
import sqlite3

from early_report import spearman

TOP = 20


def table(header, rows, right=()):
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---:" if name in right else "---" for name in header) + " |")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print()


def read(database, recipe):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    chosen = connection.execute("SELECT recipe_id, text FROM recipes WHERE ?1 IS NULL OR recipe = ?1 ORDER BY done DESC LIMIT 1", (recipe,)).fetchone()
    trials = connection.execute("SELECT t.*, c.fingerprint FROM trials t JOIN candidates c USING (candidate) WHERE recipe_id = ?1"
                                " AND seed = (SELECT min(seed) FROM trials WHERE recipe_id = ?1)", (chosen["recipe_id"],)).fetchall()
    return connection, chosen["text"], {trial["formula"]: trial for trial in trials}


def percent(trial):
    return f"{100 * trial['accuracy']:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("--recipe")
    parser.add_argument("--full", metavar="DATABASE")
    arguments = parser.parse_args()
    connection, conditions, trials = read(arguments.database, arguments.recipe)

    rungs = {}  # epochs: {formula: training loss there}
    for pause in connection.execute("SELECT trial, formula, seed, epochs, train_loss FROM pauses"):
        if pause["formula"] in trials and trials[pause["formula"]]["trial"] == pause["trial"]:
            rungs.setdefault(pause["epochs"], {})[pause["formula"]] = pause["train_loss"]
    places = {epochs: {formula: place for place, formula in enumerate(sorted(there, key=there.get), 1)} for epochs, there in rungs.items()}
    done = sorted((trial for trial in trials.values() if trial["status"] == "done"), key=lambda trial: -trial["accuracy"])
    rank = {trial["formula"]: place for place, trial in enumerate(done, 1)}
    racers = {formula for there in rungs.values() for formula in there}

    def furthest(formula):
        return max((epochs for epochs, there in rungs.items() if formula in there), default=0)

    def ending(formula):
        trial = trials[formula]
        if trial["status"] == "done":
            return f"{percent(trial)} %, {rank[formula]} of {len(done)}"
        return "failed" if trial["status"] == "failed" else f"waits after {furthest(formula):.3g} epochs"

    failed = [formula for formula, trial in trials.items() if trial["status"] == "failed"]
    waiting = [formula for formula, trial in trials.items() if trial["status"] not in ("done", "failed")]
    rejected = connection.execute("SELECT count(DISTINCT formula) FROM rejections").fetchone()[0]
    print(f"{len(trials)} functions have been trained, {sum(trial['seconds'] or 0 for trial in trials.values()) / 3600:.1f} hours of trials that ended; "
          f"{rejected} spellings were refused before training.\n")
    table(["came to", "functions"],
          [["the end, without a pause", sum(trial["formula"] not in racers for trial in done)],
           ["the end, through the race", sum(trial["formula"] in racers for trial in done)]] +
          [[f"the rung after {epochs:.3g} epochs, and wait there", sum(furthest(formula) == epochs for formula in waiting)]
           for epochs in sorted(rungs, reverse=True)] +
          [["less, unfinished", sum(furthest(formula) == 0 for formula in waiting)], ["a failure", len(failed)]], right=("functions",))

    reasons = connection.execute("SELECT f.reason, count(*) FROM failures f JOIN trials t USING (trial) WHERE t.recipe_id = ?1 GROUP BY 1 ORDER BY 2 DESC",
                                 (next(iter(trials.values()))["recipe_id"],)).fetchall()
    table(["failure", "trials"], reasons, right=("trials",))

    table(["rank", "formula", "name", "accuracy %", "learned β"],
          [[place, f"`{trial['formula']}`", trial["name"] or "", percent(trial), "" if trial["beta0"] is None else f"{trial['beta0']:.3f}"]
           for place, trial in enumerate(done[:TOP], 1)], right=("rank", "accuracy %", "learned β"))

    header = [f"place after {epochs:.3g} epochs (of {len(rungs[epochs])})" for epochs in sorted(rungs)]
    table(["function", *header, "in the end"],
          [[f"`{formula}` ({trial['name']})", *(places[epochs].get(formula, "") for epochs in sorted(rungs)), ending(formula)]
           for formula, trial in sorted(trials.items(), key=lambda item: rank.get(item[0], len(trials))) if trial["name"]])

    if arguments.full:
        _, their_conditions, theirs = read(arguments.full, arguments.recipe)
        if their_conditions != conditions:
            raise SystemExit(f"{arguments.full} has other conditions: {their_conditions}")
        scored = {trial["fingerprint"]: trial for trial in theirs.values() if trial["status"] == "done"}  # it may spell a function otherwise
        full = {formula: scored[trials[formula]["fingerprint"]] for formula in racers if trials[formula]["fingerprint"] in scored}
        both = sorted(full, key=lambda formula: -full[formula]["accuracy"])
        print(f"{len(both)} functions of the race have a full score in {arguments.full}:\n")
        rows = []
        for epochs in sorted(rungs):
            here = [formula for formula in both if formula in rungs[epochs]]
            if len(here) > 2:
                rho = spearman([-rungs[epochs][formula] for formula in here], [full[formula]["accuracy"] for formula in here])
                rows.append([f"{epochs:.3g}", len(here), f"{rho:.2f}"])
        table(["rung, epochs", "functions of both there", "rank correlation of the loss there with the full score"], rows)
        table(["function", "full score, %", *header, "in the race"],
              [[f"`{formula}`", percent(full[formula]), *(places[epochs].get(formula, "") for epochs in sorted(rungs)), ending(formula)]
               for formula in both[:TOP]])


if __name__ == "__main__":
    main()
