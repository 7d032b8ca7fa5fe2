"""Which virtual defect stands for the experiment as a whole, on pages that can show one number per run only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from certifier.defects.logic_at import LogicAt

from .models import GoodRunList, Origin

# What the newest built list requires.
NEWEST_REQUIRED: Final = GoodRunList.objects.filter(origin=Origin.BUILT).order_by("-id").values("require")[:1]


def main_virtual_defect(now: LogicAt) -> str | None:
    """The first one that the newest built list requires, when it still exists; else the one that depends on the most
    primary defects (the first by name of several such). None when no virtual defect is defined.
    """
    if not any(True for _ in now.definitions.virtuals()):
        return None
    newest = GoodRunList.objects.filter(origin=Origin.BUILT).order_by("-id").values_list("require", flat=True)
    return main_of(now, newest.first() or ())


def main_of(now: LogicAt, required: Sequence[str]) -> str | None:
    """The same, for who has read what the newest built list requires. No query."""
    logic, definitions = now
    for name in required:
        meaning = definitions.find(name)
        if meaning is not None and meaning.is_virtual:
            return meaning.name
    virtuals = [meaning.name for meaning in definitions.virtuals()]
    return max(virtuals, key=lambda name: len(logic.primaries_of(name)), default=None)
