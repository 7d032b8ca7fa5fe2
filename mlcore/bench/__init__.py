"""The tables of mlcore: `python -m mlcore.bench [NAME...]`. One module each, side by side with peers.

A module has `NAME` and `run(*, seeds, quick) -> list[Row]`. It is found by being here.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def tables() -> dict[str, ModuleType]:
    """Every table by name, in alphabetical order of the modules."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg and module.name not in ("rows", "__main__"):
            table = importlib.import_module(f"{__name__}.{module.name}")
            found[str(table.NAME)] = table
    return found
