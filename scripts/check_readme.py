#!/usr/bin/env python3
"""Checks the commands of a Markdown file: check_readme.py README.md

Every fenced block marked sh is preceded by a comment that says how:

    <!-- ci: run -->          its lines run as they stand, in an empty directory, with actsearch on the PATH
    <!-- ci: run with … -->   the same, with these flags added to each line (to keep a long command short)
    <!-- ci: flags -->        nothing runs; every flag of an actsearch command is looked up in its --help

The program is that of preset $ACTSEARCH_PRESET (release if not set), which must be built. The exit code is 1 if a command fails.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?:<!-- ci: (?P<how>[^\n]*?) -->\n)?```sh\n(?P<lines>.*?)```", re.DOTALL)


def check_flags(line, program):
    """What is wrong with the flags of `actsearch COMMAND …`, as a list of sentences."""
    words = shlex.split(line, comments=True)
    if not words or words[0] != "actsearch":
        return []
    commands = [word for word in words[1:3] if re.fullmatch("[a-z]+", word)]
    help_text = subprocess.run([program, commands[0], "--help"], capture_output=True, text=True)
    if help_text.returncode != 0:
        return [f"{commands[0]} --help fails: {help_text.stderr.strip()}"]
    flags = [word.split("=")[0] for word in words if word.startswith("--")]
    return [f"{flag} is not in the help of {commands[0]}" for flag in flags if not re.search(re.escape(flag) + r"\b", help_text.stdout)]


def run(line, directory, environment):
    print(f"readme: {line}", file=sys.stderr, flush=True)
    done = subprocess.run(["bash", "-c", line], cwd=directory, env=environment, stdin=subprocess.DEVNULL)
    return [] if done.returncode == 0 else [f"exit code {done.returncode}"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    readme = pathlib.Path(sys.argv[1]).resolve()
    root = readme.parent
    build = root / "build" / os.environ.get("ACTSEARCH_PRESET", "release")
    environment = dict(os.environ, PATH=f"{build}:{os.environ['PATH']}")
    failures, checked = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for block in BLOCK.finditer(readme.read_text()):
            how = block["how"] or ""
            if how != "flags" and how != "run" and not how.startswith("run with "):
                failures.append(f"a block of commands does not say how it is checked:\n{block['lines']}")
                continue
            for line in block["lines"].replace("\\\n", " ").splitlines():
                if not line.strip() or line.startswith("#"):
                    continue
                checked += 1
                if how == "flags":
                    wrong = check_flags(line, build / "actsearch")
                else:
                    # Scripts are called by their path from the repository, so that they too run in the empty directory.
                    command = line.split(" #")[0].replace("./scripts/", f"{shlex.quote(str(root))}/scripts/")
                    wrong = run(f"{command} {how.removeprefix('run').removeprefix(' with ')}", scratch, environment)
                failures += [f"{line}\n  {sentence}" for sentence in wrong]
    for failure in failures:
        print(f"readme: FAILED: {failure}", file=sys.stderr)
    print(f"readme: {checked} commands checked, {len(failures)} failures", file=sys.stderr)
    sys.exit(1 if failures or checked == 0 else 0)


if __name__ == "__main__":
    main()
