"""The files of `actsearch export` as modules: actsearch._exported.pytorch_<formula in hexadecimal>.

Their text is what the program writes, and nothing else computes a formula. The name says the formula, so a pickled network finds its
classes again in any process.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any, Optional

from actsearch import _core
from actsearch.formula import Formula

__path__: list = []  # makes this module a package, whose modules the finder below makes


def module(target: str, formula: Formula) -> ModuleType:
    """The module of a formula. ImportError where the target's framework is not installed."""
    return importlib.import_module(f"{__name__}.{target}_{formula.text.encode().hex()}")


def names(formula: Formula) -> tuple[str, str]:
    """What the function and the class are called in such a module."""
    return formula._core.exported_names()


class _Exports(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Optional[importlib.machinery.ModuleSpec]:
        if not fullname.startswith(__name__ + "."):
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=self._file(fullname))
        spec.has_location = True  # so that tracebacks and inspect find the text
        return spec

    @staticmethod
    def _target_and_formula(fullname: str) -> tuple[str, str]:
        target, _, code = fullname.rpartition(".")[2].partition("_")
        try:
            return target, bytes.fromhex(code).decode()
        except ValueError:
            raise ModuleNotFoundError(f"{fullname} names no formula", name=fullname) from None

    def _file(self, fullname: str) -> str:
        target, formula = self._target_and_formula(fullname)
        return f"actsearch export {formula!r} --to {target}"

    def get_source(self, fullname: str) -> str:
        target, formula = self._target_and_formula(fullname)
        return _core.Formula(formula).exported(target, "").decode()

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_source(fullname), self._file(fullname))


sys.meta_path.append(_Exports())
