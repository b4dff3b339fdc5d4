#!/usr/bin/env python3
"""Joins what scripts/gpu_check.sh measured into one JSON and one Markdown table: bench/gpu_table.py FOLDER

Reads bench.json (actsearch bench --device cuda) and torch.json (bench/torch_baseline.py; may be missing) of the folder and writes gpu.json
and gpu.md there. What was not measured says so.
"""
import json
import pathlib
import sys

NOT_MEASURED = "not measured"


def read(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if ours and theirs else NOT_MEASURED


def main():
    folder = pathlib.Path(sys.argv[1])
    bench, torch = read(folder / "bench.json"), read(folder / "torch.json")
    best = {(row["network"], row["activation"]): row for row in (torch or {}).get("best", [])}
    lines = []
    if bench is None:
        lines.append(f"actsearch bench --device cuda: {NOT_MEASURED}")
    else:
        lines += [f"{bench['machine']}; commit {bench['commit']}; {bench['precision']}", ""]
        lines += table(
            ["function", "pass", "GB/s", "share of the copy"],
            [(r["function"], r["pass"], f"{r['gb_per_second']:.0f}", f"{r['share_of_copy']:.2f}") for r in bench["kernels"]],
        )
        lines += ["", *table(["function", "NVRTC ms"], [(r["function"], f"{r['nvrtc_ms']:.0f}") for r in bench["compilations"]]), ""]
        rows = []
        for r in bench["training"]:
            theirs = best.get((r["network"], r["activation"]))
            rows.append((
                r["network"], r["activation"], r["batch"], r["jobs"], f"{r['images_per_second']:.0f}",
                f"{r['floor_images_per_second']:.0f}", f"{theirs['images_per_second']:.0f} ({theirs['setup']})" if theirs else NOT_MEASURED,
                ratio(r["images_per_second"], theirs and theirs["images_per_second"]), f"{r['start_ms']:.0f}", r["nodes"], f"{r['job_mib']:.0f}",
            ))
        lines += table(
            ["network", "activation", "batch", "jobs", "images/s", "floor of one job", "PyTorch's best", "ratio", "start ms", "nodes", "MiB a job"], rows
        )
    (folder / "gpu.json").write_text(json.dumps({"actsearch": bench, "torch": torch}, indent=1) + "\n")
    (folder / "gpu.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
