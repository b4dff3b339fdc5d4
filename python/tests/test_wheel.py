"""`pip install .`: the wheel in an environment of its own, which has no torch.

The program and the extension are those of a build that is there. ACTSEARCH_PREBUILT names its folder; CTest sets it.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import venv

import pytest

pytest.importorskip("scikit_build_core", reason="scikit-build-core is not installed: scripts/setup.sh --with-frameworks")

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("ACTSEARCH_PREBUILT")


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ACTSEARCH_PREBUILT")}
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def pip_wheel(build, into):
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    settings = [f"--config-settings=cmake.define.ACTSEARCH_PREBUILT={build}", f"--config-settings=build-dir={into}/build"]
    return ["-m", "pip", "wheel", SOURCE, *options, *settings, "-w", into]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if BUILD is None:
        pytest.skip("ACTSEARCH_PREBUILT names no build folder")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, *pip_wheel(BUILD, folder))
    (wheel,) = folder.glob("actsearch-*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel)
    return folder / "venv" / "bin"


def test_the_wheel_carries_the_program(installed):
    assert run(installed / "actsearch", "--version").startswith("actsearch ")
    assert "Swish" in run(installed / "actsearch", "export", "swish", "--to", "pytorch")


def test_the_wheel_works_without_torch(installed, tmp_path):
    code = """
import actsearch
study = actsearch.Study("own.db", conditions="c")
for trial in study.ask(2):
    with trial:
        trial.tell(0.5)
print(len(study.leaderboard()), actsearch.Formula("relu")(2.0), actsearch.__version__)
try:
    actsearch.torch
except ImportError as error:
    print(error)
"""
    first, second = run(installed / "python", "-c", code, cwd=tmp_path).splitlines()
    program = run(installed / "actsearch", "--version").split()[1]
    assert first == f"2 2.0 {program}" and "pip install torch" in second


def test_the_wheel_has_types_and_no_tests(installed):
    code = "import actsearch, pathlib; print(*sorted(path.name for path in pathlib.Path(actsearch.__file__).parent.iterdir()))"
    files = run(installed / "python", "-B", "-c", code).split()
    assert "py.typed" in files and not any(name.startswith("test") for name in files)


def test_a_build_folder_without_a_build_is_refused(tmp_path):
    result = subprocess.run([sys.executable, *map(str, pip_wheel(tmp_path, tmp_path))], capture_output=True, text=True)
    assert result.returncode != 0 and "ACTSEARCH_PREBUILT" in result.stdout + result.stderr
