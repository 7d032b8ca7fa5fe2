"""The map of tracker certification from runs to the reference run they are compared with.

`[{"run_number": 313098, "reference_run_number": 312727}, ...]`, one item per certification: a run stands there
again when it is certified again (express, prompt, re-reconstruction), often with another reference. All are kept,
in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certifier.lumi import LARGEST_RUN

from .imported import FileRefused, Imported, Progress

FORMAT = "reference runs"
KEYS = ("run_number", "reference_run_number")


def recognises(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and set(value[0]) == set(KEYS)


def read(value: list[Any], progress: Progress) -> Imported:
    """Raises FileRefused naming the item."""
    imported = Imported(FORMAT)
    for index, item in enumerate(value):
        place = f"item {index + 1}"
        if not isinstance(item, Mapping) or set(item) != set(KEYS):
            raise FileRefused(f"{place}: {' and '.join(KEYS)} are needed, and nothing else.")
        numbers = [item[key] for key in KEYS]
        for key, number in zip(KEYS, numbers, strict=True):
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LARGEST_RUN:
                raise FileRefused(f"{place}: {key} {str(number)[:30]} is not a run number.")
        imported.references.append((numbers[0], numbers[1]))
    return imported
