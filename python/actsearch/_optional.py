"""Packages that are wanted only where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType


def needed(name: str, used_by: str, install: str) -> ModuleType:
    """The module `name`. ImportError where it is not installed, which says what to install."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        top = name.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != top:
            raise  # the package is there, and misses one of its own
        raise ImportError(f"{used_by} needs the package {top}, which is not installed: pip install {install}", name=name) from None
