"""The notebook of examples/notebook, run as it stands."""

from __future__ import annotations

import json
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "notebook"


def test_the_notebook_runs(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed: scripts/setup.sh --with-torch")
    cells = [cell for cell in json.loads((FOLDER / "own_loop.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
    # It finds the network of the tutorial beside itself, and its study is a file of the working directory.
    (tmp_path / "own_training").symlink_to(FOLDER.parent / "own_training")
    (tmp_path / "notebook").mkdir()
    monkeypatch.chdir(tmp_path / "notebook")
    monkeypatch.syspath_prepend(str(FOLDER.parent / "own_training"))
    names = {}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    board = names["study"].leaderboard()
    assert any(row.name == "relu" for row in board)
    assert board[0].score is not None
    assert len(names["replaced"]) == 7
