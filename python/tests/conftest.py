"""What the tests of the Python package share."""

from __future__ import annotations

import pytest

import actsearch


@pytest.fixture
def study(tmp_path):
    """A study of ten epochs in a file of its own."""
    return make_study(tmp_path / "own.db")


def make_study(path, **changes):
    arguments = {"conditions": "resnet20 on my data, train.py v3", "epochs": 10, "strategy": "exhaustive", **changes}
    return actsearch.Study(path, **arguments)
