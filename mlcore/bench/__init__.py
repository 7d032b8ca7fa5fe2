"""The tables of mlcore: `python -m mlcore.bench [NAME...]`. One module each, side by side with peers.

A module has `run(seeds, *, quick) -> list[Row]`, and is found by being here; its name is that of the table with
underscores. `ALONE = True` in a module says that it measures time and must have the machine to itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

NOT_TABLES = ("rows", "report", "processes", "__main__")


def names() -> list[str]:
    """Every table, in alphabetical order."""
    modules = [module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg]
    return sorted(name.replace("_", "-") for name in modules if name not in NOT_TABLES)


def table(name: str) -> ModuleType:
    """The module of one table; imported only now, since some of them need torch."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
