"""Lumisections and what is computed from them. Standard library and numpy only; nothing here knows of a
database.

A set of lumisections of one run is one value, `LumiSet`; a good-run list is a `RunLumiMap`.
"""

from __future__ import annotations

from .errors import CyclicDefinition, ExpressionError, LumiError, UnknownName
from .evaluation import Evaluation
from .expressions import Expression, check_name, parse
from .logic import Logic
from .lumiset import MAX_LUMISECTION, LumiSet
from .run_lumi_map import RunLumiMap
from .run_selection import LARGEST_RUN, RunSelection

__all__ = [
    "LARGEST_RUN",
    "MAX_LUMISECTION",
    "CyclicDefinition",
    "Evaluation",
    "Expression",
    "ExpressionError",
    "Logic",
    "LumiError",
    "LumiSet",
    "RunLumiMap",
    "RunSelection",
    "UnknownName",
    "check_name",
    "parse",
]
