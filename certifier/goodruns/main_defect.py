"""Which virtual defect stands for the experiment as a whole, on pages that can show one number per run only."""

from __future__ import annotations

from certifier.defects.logic_at import LogicAt

from .models import GoodRunList, Origin


def main_virtual_defect(now: LogicAt) -> str | None:
    """The first one that the newest built list requires, when it still exists; else the one that depends on the most
    primary defects (the first by name of several such). None when no virtual defect is defined.
    """
    logic, definitions = now
    if not any(True for _ in definitions.virtuals()):
        return None
    for require in (
        GoodRunList.objects.filter(origin=Origin.BUILT).order_by("-id").values_list("require", flat=True)[:1]
    ):
        for name in require:
            meaning = definitions.find(name)
            if meaning is not None and meaning.is_virtual:
                return meaning.name
    virtuals = [meaning.name for meaning in definitions.virtuals()]
    return max(virtuals, key=lambda name: len(logic.primaries_of(name)), default=None)
