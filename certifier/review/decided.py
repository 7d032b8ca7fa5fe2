"""What experts decided of one run, for the run page: a lane below each system beside what the machine said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.runs.models import Run

from .models import Answer, Decision

# How decisions are drawn, the ones to be seen first on top.
DRAWN = (("good", "decided good"), ("bad", "decided bad"))


@dataclass(frozen=True)
class Decided:
    """The decisions of one system that stand, in the order in which they were made: a later one wins."""

    code: str
    decisions: Sequence[Decision]

    def of(self, kind: str) -> LumiSet:
        """Where the last word is good, or bad."""
        held = {"good": LumiSet(), "bad": LumiSet()}
        for one in self.decisions:
            held = {"good": (held["good"] - one.bad) | one.good, "bad": (held["bad"] - one.good) | one.bad}
        return held[kind]

    @property
    def parts(self) -> list[tuple[LumiSet, str, str]]:
        """As `lane_parts` draws them."""
        return [(self.of(kind), kind, word) for kind, word in DRAWN]

    @property
    def reading(self) -> str:
        return f"{len(self.of('good') | self.of('bad')):,} LS"


def decided_of_run(run: Run, systems: Sequence[System]) -> dict[str, Decided]:
    """By code of the system, only of those of which something is decided. One query."""
    codes = {system.pk: system.code for system in systems}
    rows = Decision.objects.filter(item__run=run, undone_by=None).exclude(answer=Answer.UNDO)
    columns = ("item__system_id", "good", "bad", "by_name", "at", "comment")
    found: dict[str, list[Decision]] = {}
    for row in rows.order_by("id").select_related("item").only(*columns):
        found.setdefault(codes[row.item.system_id], []).append(row)
    return {code: Decided(code, decisions) for code, decisions in found.items()}
