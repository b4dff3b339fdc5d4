#!/usr/bin/env python3
"""Markdown of what a search database holds: scripts/proxy_report.py PROGRAM DATABASE > docs/results/cpu-proxy.md

PROGRAM is the actsearch that made DATABASE or a later one. Everything stated is read from the database through `actsearch query`.
"""
import json
import statistics
import subprocess
import sys

from result_statistics import half_width


def query(program, database, sql):
    return json.loads(subprocess.run([program, "query", "--db", database, sql, "--format", "json"], check=True, capture_output=True).stdout)


def interval(values):
    """Half width of the 95 % interval of the mean (Student's t)."""
    return half_width(values) if len(values) > 1 else None


def percent(value):
    return f"{100 * value:.2f}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, database = sys.argv[1:]
    trials = query(program, database, "SELECT formula, name, seed, status, validation_accuracy, epochs, seconds, beta0 FROM trials "
                                      "WHERE status IN ('done', 'failed')")
    failures = query(program, database, "SELECT reason, count(*) AS n FROM failures GROUP BY reason ORDER BY n DESC")
    rejections = query(program, database, "SELECT reason, count(*) AS n FROM rejections GROUP BY reason ORDER BY n DESC")
    studies = query(program, database, "SELECT * FROM studies")

    scores, names, betas = {}, {}, {}
    for trial in trials:
        names[trial["formula"]] = trial["name"] or ""
        if trial["status"] == "done":
            scores.setdefault(trial["formula"], []).append(trial["validation_accuracy"])
            if trial["beta0"] is not None:
                betas.setdefault(trial["formula"], []).append(trial["beta0"])
    ranked = sorted(scores, key=lambda formula: -statistics.mean(scores[formula]))
    rank = {formula: place for place, formula in enumerate(ranked, 1)}

    def row(formula):
        values = scores[formula]
        half = interval(values)
        return [rank[formula], f"`{formula}`", names[formula], percent(statistics.mean(values)),
                f"± {percent(half)}" if half else "", percent(statistics.stdev(values)) if len(values) > 1 else "", len(values),
                f"{statistics.mean(betas[formula]):.3f}" if formula in betas else ""]

    header = ["rank", "formula", "name", "accuracy %", "95 % interval", "sd of seeds", "n", "learned β"]
    candidates = {trial["formula"] for trial in trials}
    unnamed = {formula for formula in candidates if not names[formula]}
    print(f"{len(trials)} trials of {len(candidates)} distinct candidates, {len(unnamed)} of them without a name; "
          f"{sum(f['n'] for f in failures)} trials failed.\n")
    print("## Named functions\n")
    print(table(header, [row(formula) for formula in ranked if names[formula]]))
    failed_names = sorted({names[t["formula"]] for t in trials if t["status"] == "failed" and names[t["formula"]]})
    if failed_names:
        print("Failed in at least one seed: " + ", ".join(failed_names) + ".\n")
    print("## The 40 best of all\n")
    print(table(header, [row(formula) for formula in ranked[:40]]))
    print("## How the random candidates fared\n")
    plain = [statistics.mean(scores[formula]) for formula in ranked if not names[formula]]
    if plain:
        edges = [0.0, 0.15, 0.3, 0.45, 0.6, 0.65, 0.7, 0.725, 0.75, 0.775, 1.0]
        print(table(["validation accuracy %", "candidates"],
                    [[f"{100 * low:g} to {100 * high:g}", sum(low <= value < high for value in plain)] for low, high in zip(edges, edges[1:])]))
    print(table(["failure", "trials"], [[f["reason"], f["n"]] for f in failures]))
    print(table(["rejected before training", "spellings"], [[r["reason"], r["n"]] for r in rejections]))
    print("## Conditions\n")
    for study in studies:
        print("- " + "; ".join(f"{key}: {value}" for key, value in study.items() if value not in (None, "")))


if __name__ == "__main__":
    main()
