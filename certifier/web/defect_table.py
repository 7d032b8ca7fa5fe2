"""The defects of a run as rows: one row for each thing somebody said of a defect, wherever it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from certifier.defects.selectors import DefectInRun, IntervalInRun
from certifier.lumi import LumiSet


class Payload(NamedTuple):
    present: bool
    recoverable: bool
    user: str
    comment: str


@dataclass(frozen=True, slots=True)
class DefectRow:
    """`of_defect` counts the rows of this defect and is 0 for all but the first of them."""

    defect: DefectInRun
    of_defect: int
    lumisections: LumiSet
    payload: Payload
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
    """Intervals of one defect that say the same become one row, in the order in which they begin."""
    for defect in defects:
        said = _together(defect.intervals)
        for place, (payload, intervals) in enumerate(said):
            yield DefectRow(
                defect=defect,
                of_defect=0 if place else len(said),
                lumisections=_union(intervals),
                payload=payload,
                at=max((interval.entered_at for interval in intervals if interval.entered_at), default=None),
            )


def _together(intervals: Sequence[IntervalInRun]) -> list[tuple[Payload, list[IntervalInRun]]]:
    """Present before absent, otherwise by first lumisection."""
    found: dict[Payload, list[IntervalInRun]] = {}
    for interval in intervals:
        payload = Payload(interval.present, interval.recoverable, interval.user, interval.comment)
        found.setdefault(payload, []).append(interval)
    return sorted(found.items(), key=lambda item: not item[0].present)


def _union(intervals: Iterable[IntervalInRun]) -> LumiSet:
    bits = 0
    for interval in intervals:
        bits |= interval.lumisections.bits
    return LumiSet.from_bits(bits)


def in_system_order(defects: Iterable[DefectInRun], codes: Sequence[str]) -> list[DefectInRun]:
    """By system in the order of pages, then by name; primary defects before virtual ones."""
    place = {code: number for number, code in enumerate(codes)}
    return sorted(defects, key=lambda one: (one.virtual, place.get(one.system, len(place)), one.defect.lower()))
