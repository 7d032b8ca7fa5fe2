"""The defects of a run as rows: one row for each thing somebody said of a defect, wherever it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from certifier.defects.resolution import Told
from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet


@dataclass(frozen=True, slots=True)
class DefectRow:
    """`of_defect` counts the rows of this defect and is 0 for all but the first of them."""

    defect: DefectInRun
    of_defect: int
    lumisections: LumiSet
    payload: Told
    at: datetime | None

    @property
    def state(self) -> str:
        """What can be done about it; of a tolerable defect that is nothing special."""
        if not self.payload.present:
            return "absent"
        if self.payload.recoverable:
            return "recoverable"
        return "not recoverable" if self.defect.intolerable else "–"


def rows_of(defects: Iterable[DefectInRun]) -> Iterator[DefectRow]:
    """A row for each thing that is said of a defect: present before absent, otherwise in the order in which they
    begin."""
    for defect in defects:
        said = sorted(defect.told, key=lambda one: not one.present)
        for place, one in enumerate(said):
            yield DefectRow(defect, 0 if place else len(said), LumiSet.from_bits(one.bits), one, one.newest)


def in_system_order(defects: Iterable[DefectInRun], codes: Sequence[str]) -> list[DefectInRun]:
    """By system in the order of pages, then by name; primary defects before virtual ones."""
    place = {code: number for number, code in enumerate(codes)}
    return sorted(defects, key=lambda one: (one.virtual, place.get(one.system, len(place)), one.defect.lower()))
