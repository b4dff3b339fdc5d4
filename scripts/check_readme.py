#!/usr/bin/env python3
"""Checks the commands of Markdown files: check_readme.py README.md …

Every fenced block marked sh is preceded by a comment that says how:

    <!-- ci: run -->          its lines run as they stand, in an empty directory, with actsearch on the PATH
    <!-- ci: run with … -->   the same with these flags, in place of the same flags of each line (to keep a long command short)
    <!-- ci: flags -->        nothing runs; every flag of an actsearch command is looked up in its --help

A block marked python that has `<!-- ci: run -->` before it runs whole. All blocks of a file run in one directory, one after the other.
`python3` is $ACTSEARCH_PYTHON, or Debian's, with the package of the build folder. A file with such a block needs PyTorch, and is skipped
without.

The program is that of preset $ACTSEARCH_PRESET (release if not set), which must be built. The exit code is 1 if a command fails.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / os.environ.get("ACTSEARCH_PRESET", "release")
PYTHON = os.environ.get("ACTSEARCH_PYTHON", "/usr/bin/python3")
BLOCK = re.compile(r"(?:<!-- ci: (?P<how>[^\n]*?) -->\n)?```(?P<language>sh|python)\n(?P<lines>.*?)```", re.DOTALL)


def check_flags(line):
    """What is wrong with the flags of `actsearch COMMAND …`, as a list of sentences."""
    words = shlex.split(line, comments=True)
    if not words or words[0] != "actsearch":
        return []
    commands = [word for word in words[1:3] if re.fullmatch("[a-z]+", word)]
    help_text = subprocess.run([BUILD / "actsearch", commands[0], "--help"], capture_output=True, text=True)
    if help_text.returncode != 0:
        return [f"{commands[0]} --help fails: {help_text.stderr.strip()}"]
    flags = [word.split("=")[0] for word in words if word.startswith("--")]
    return [f"{flag} is not in the help of {commands[0]}" for flag in flags if not re.search(re.escape(flag) + r"\b", help_text.stdout)]


def with_flags(line, flags):
    """The line with these flags, each in place of the same flag and its value where the line has it."""
    for flag in re.findall(r"--[a-z-]+", flags):
        line = re.sub(rf"{flag} [^ ]+ ?", "", line)
    return f"{line} {flags}"


def run(command, directory, environment):
    print(f"readme: {command[-1].splitlines()[0]}", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL)
    return [] if done.returncode == 0 else [f"exit code {done.returncode}"]


def environment_in(directory):
    """The environment of the blocks, whose `python3` is a link in the directory."""
    programs = pathlib.Path(directory) / "bin"
    programs.mkdir()
    wrapper = programs / "python3"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(PYTHON)} "$@"\n')
    wrapper.chmod(0o755)
    packages = [str(BUILD / "python"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return dict(os.environ, PATH=f"{programs}:{BUILD}:{os.environ['PATH']}", PYTHONPATH=":".join(packages))


def check(file):
    """The number of commands that were checked, and what failed."""
    failures, checked = [], 0
    blocks = list(BLOCK.finditer(file.read_text()))
    if any(block["language"] == "python" and block["how"] for block in blocks) and subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode:
        print(f"readme: {file.name} is skipped: {PYTHON} has no PyTorch (scripts/setup.sh --with-torch)", file=sys.stderr)
        return 0, []
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as programs:
        environment = environment_in(programs)
        for block in blocks:
            how = block["how"] or ""
            if block["language"] == "python":
                if how == "run":
                    checked += 1
                    wrong = run(["python3", "-c", block["lines"]], scratch, environment)
                    failures += [f"{file.name}: {block['lines']}\n  {sentence}" for sentence in wrong]
                continue
            if how != "flags" and how != "run" and not how.startswith("run with "):
                failures.append(f"{file.name}: a block of commands does not say how it is checked:\n{block['lines']}")
                continue
            for line in block["lines"].replace("\\\n", " ").splitlines():
                if not line.strip() or line.startswith("#"):
                    continue
                checked += 1
                if how == "flags":
                    wrong = check_flags(line)
                else:
                    # Files of the repository are called by their path from its root, so that they too can be had from the empty directory.
                    command = re.sub(r"(^| )(\./scripts|examples)/", rf"\1{shlex.quote(str(ROOT))}/\2/", line.split(" #")[0])
                    wrong = run(["bash", "-c", with_flags(command, how.removeprefix("run").removeprefix(" with "))], scratch, environment)
                failures += [f"{file.name}: {line}\n  {sentence}" for sentence in wrong]
    return checked, failures


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    checked, failures = 0, []
    for name in sys.argv[1:]:
        count, wrong = check(pathlib.Path(name))
        checked, failures = checked + count, failures + wrong
    for failure in failures:
        print(f"readme: FAILED: {failure}", file=sys.stderr)
    print(f"readme: {checked} commands checked, {len(failures)} failures", file=sys.stderr)
    sys.exit(1 if failures or checked == 0 else 0)


if __name__ == "__main__":
    main()
