#!/usr/bin/env python3
"""Merges measurements of actsearch and PyTorch into one Markdown table: compare.py OURS.json… -- TORCH.json…

OURS is what `actsearch bench --format json` prints: {"training": [{network, activation, precision, threads, jobs, images_per_second,
library_convolution_images_per_second, convolution_images_per_second}, …]}. TORCH is bench/torch_baseline.py's output. Of several
rounds the median counts; ± is half the distance from the slowest to the fastest round.
"""
import collections
import json
import pathlib
import statistics
import sys


def read(files, rows_of):
    """{(network, activation): {set-up: [row of each round]}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for file in files:
        for setup, row in rows_of(json.loads(pathlib.Path(file).read_text())):
            found[row["network"], row["activation"]][setup].append(row)
    return found


def our_rows(document):
    for row in document["training"]:
        parallelism = f"{row['jobs']} jobs" if row["jobs"] > 1 else f"{row['threads']} threads"
        yield f"{row['precision']}, {parallelism}", row


def torch_rows(document):
    for row in document["results"]:
        if "error" not in row:
            yield row["setup"], row


def best(setups):
    """The set-up with the highest median: its name, median, half range and rows."""
    def summary(item):
        rates = [row["images_per_second"] for row in item[1]]
        return statistics.median(rates), (max(rates) - min(rates)) / 2

    name, rows = max(setups.items(), key=lambda item: summary(item)[0])
    return name, *summary((name, rows)), rows


def main():
    if "--" not in sys.argv:
        sys.exit(__doc__)
    split = sys.argv.index("--")
    ours = read(sys.argv[1:split], our_rows)
    torch = read(sys.argv[split + 1 :], torch_rows)
    print("| network | activation | actsearch, images/s | PyTorch's best, images/s | ratio | oneDNN's convolutions alone, images/s | share of it "
          "| training's alone | share of it |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for key in ours:
        setup, rate, spread, rows = best(ours[key])
        cells = [*key, f"{rate:,.0f} ± {spread:,.0f} ({setup})"]
        if key in torch:
            their_setup, their_rate, their_spread, _ = best(torch[key])
            cells += [f"{their_rate:,.0f} ± {their_spread:,.0f} ({their_setup})", f"{rate / their_rate:.2f}"]
        else:
            cells += ["not measured", ""]
        for kind in ("library_convolution_images_per_second", "convolution_images_per_second"):
            limit = statistics.median(row[kind] for row in rows)
            cells += [f"{limit:,.0f}", f"{100 * rate / limit:.0f} %"]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
