"""The examples of docs/python.md and the README, run as they stand."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "python.md", ROOT / "README.md"]
EXAMPLES = [(page.name, block) for page in PAGES for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]


@pytest.mark.parametrize("page, example", EXAMPLES, ids=[f"{page}-{i}" for i, (page, _) in enumerate(EXAMPLES)])
def test_an_example_runs(page, example, tmp_path, monkeypatch, capsys):
    if "torch" in example:
        pytest.importorskip("torch", reason="PyTorch is not installed: scripts/setup.sh --with-torch")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, page, "exec"), {})
    assert capsys.readouterr().out


def test_both_pages_have_examples():
    assert {page for page, _ in EXAMPLES} == {page.name for page in PAGES}
