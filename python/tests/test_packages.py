"""Optional packages: the package works without them, and says what to install where one is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"torch", "jax", "flax", "numpy", "pandas", "pyarrow", "tensorboard", "mlflow"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
import actsearch
"""


def without_packages(code, *arguments):
    result = subprocess.run([sys.executable, "-c", BLOCKED + code, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_studies_and_formulas_need_the_standard_library_alone(tmp_path):
    code = """
study = actsearch.Study(sys.argv[1], conditions="c", epochs=2)
for trial in study.ask(3):
    with trial:
        trial.report(1, train_loss=0.5)
        trial.tell(trial.formula(0.0) * 0 + 0.5)
study.to_csv(sys.argv[2])
print(len(study.leaderboard()), actsearch.Formula("relu")([1, -1]))
actsearch.Formula("swish")._repr_html_()
"""
    assert without_packages(code, tmp_path / "own.db", tmp_path / "own.csv") == "3 [1.0, 0.0]\n"


@pytest.mark.parametrize(
    "code, install",
    [
        ("import actsearch.torch", "torch"),
        ("actsearch.torch.Activation('relu')", "torch"),
        ("next(study.ask()).torch()", "torch"),
        ("import actsearch.jax", "jax"),
        ("next(study.ask()).jax()", "jax"),
        ("study.leaderboard().to_pandas()", "pandas"),
        ("study.to_parquet('trials.parquet')", "pyarrow"),
        ("study.log_to('tensorboard', 'runs')", "tensorboard"),
        ("study.log_to('mlflow')", "mlflow"),
    ],
)
def test_a_missing_package_is_named(tmp_path, code, install):
    attempt = f"""
study = actsearch.Study(sys.argv[1], conditions="c")
try:
    {code}
except ImportError as error:
    print(error)
"""
    assert f"pip install {install}" in without_packages(attempt, tmp_path / "own.db")


def test_importing_the_package_imports_no_framework():
    code = "import sys, actsearch; print([name for name in ('torch', 'jax', 'numpy', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
