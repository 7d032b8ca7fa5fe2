"""The elements of a run beside each other, the one that looks wrong first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import numpy as np

from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.monitoring.comparison import Expected, Windows, windows
from certifier.monitoring.models import Element
from certifier.runs.selectors import strip_columns
from mlcore.histograms import HistogramBlock

from .forms import NOBODY
from .looking import Looking

# Pulls that are worth a look, that are bad, and that nobody can overlook: the shades of a lane. The largest of fifty
# bins of a good histogram is often beyond 3.
SHADES = (4.0, 6.0, 10.0)
# A window with less than this share of the usual entries is too thin to be called wrong.
THINNEST = 0.05
# Elements that a page shows whatever their system, and lanes of defects above them.
MOST_AT_ONCE = 48
MOST_DEFECTS = 10


@dataclass(frozen=True, eq=False)
class Row:
    """An element as the overview shows it: what is drawn of it, and where it is furthest from what is expected."""

    element: Element
    lumisections: LumiSet
    # What is drawn: the lumisections, their counts, what is expected and the pulls, each (bins,).
    shown: LumiSet
    counts: Any
    mean: Any | None
    pulls: Any | None
    # Largest pull of the drawn; None without anything to compare with.
    pull: float | None
    # For the lane: shade 1 to 3 and the lumisections that have it.
    shades: Sequence[tuple[LumiSet, int]]
    # Of a quantity, which has no shape, its value in each lumisection of the run.
    course: Sequence[float | None] = ()

    @property
    def is_wrong(self) -> bool:
        return abs(self.pull or 0.0) >= SHADES[1]

    @property
    def shown_text(self) -> str:
        """For an address: the lumisections that are drawn, nothing for all of them."""
        return "" if self.shown == self.lumisections else str(self.shown)

    @property
    def wrongness(self) -> float:
        return abs(self.pull) if self.pull is not None else -1.0


class Overview:
    def __init__(self, looking: Looking) -> None:
        self.looking = looking

    @cached_property
    def systems(self) -> list[str]:
        """Codes in the order of pages; empty for elements that nobody looks after."""
        found = {each.element.system for each in self.looking.coverage}
        known = sorted((system for system in found if system), key=lambda system: (system.position, system.code))
        return [system.code for system in known] + ([""] if None in found else [])

    @cached_property
    def system(self) -> str | None:
        """The code that is looked at, empty for nobody's elements; None for all of them, where that is not too much."""
        wanted = self.looking.options.system
        if not wanted and len(self.looking.coverage) <= MOST_AT_ONCE:
            return None
        if not self.systems or (wanted and wanted.upper() in self.systems):
            return wanted.upper()
        return "" if wanted == NOBODY and "" in self.systems else self.systems[0]

    @property
    def map_of(self) -> str:
        """The system among whose runs this one can be looked up: the one looked at, or the only one."""
        return self.system or (self.systems[0] if len(self.systems) == 1 else "")

    @property
    def tabs(self) -> list[dict[str, Any]]:
        counts = Counter(each.element.system.code if each.element.system else "" for each in self.looking.coverage)
        kept = urlencode({"dataset": self.looking.options.dataset}) if self.looking.options.dataset else ""
        tabs: list[dict[str, Any]] = [
            {
                "name": code or "nobody's",
                "url": "?" + "&".join(part for part in (f"system={code or NOBODY}", kept) if part),
                "current": code == self.system,
                "count": counts[code],
            }
            for code in self.systems
        ]
        if len(self.looking.coverage) <= MOST_AT_ONCE:
            total = len(self.looking.coverage)
            tabs.insert(0, {"name": "all", "url": f"?{kept}", "current": self.system is None, "count": total})
        return tabs

    @property
    def further(self) -> str:
        """What else of the address goes on to an element."""
        options = self.looking.options
        kept = {name: value for name, value in (("dataset", options.dataset), ("against", options.against)) if value}
        return f"&{urlencode(kept)}" if kept else ""

    @property
    def recorded(self) -> list[float | None]:
        return strip_columns(self.looking.run, self.looking.profile)["recorded_inv_nb"]

    @cached_property
    def chosen(self) -> list[Any]:
        return [
            each
            for each in self.looking.coverage
            if self.system is None or (each.element.system.code if each.element.system else "") == self.system
        ]

    @cached_property
    def rows(self) -> list[Row]:
        """Worst first; those that have nothing to be compared with last."""
        blocks = self.looking.blocks(self.chosen)
        expected = self.looking.expected(blocks)
        rows = [
            self._row(each.element, blocks[each.element.path], expected.get(each.element.path)) for each in self.chosen
        ]
        return sorted((row for row in rows if row is not None), key=lambda row: (-row.wrongness, row.element.path))

    @property
    def compared(self) -> int:
        return sum(1 for row in self.rows if row.pull is not None)

    def _row(self, element: Element, block: HistogramBlock, expected: Expected | None) -> Row | None:
        if not len(block):
            return None
        steps = windows(block, self.looking.width)
        pulls = expected.pulls(steps.counts) if expected else None
        if pulls is not None:
            total = steps.counts.sum(axis=1)
            pulls[total < THINNEST * np.median(total)] = 0.0
        covered = LumiSet.from_numbers(block.conditions.lumisection.tolist())
        chosen = self.looking.selected
        shown = chosen & covered if chosen else (self._worst(steps, pulls) & covered or covered)
        rows = shown.to_mask(int(block.conditions.lumisection.max()))[block.conditions.lumisection - 1]
        counts = np.asarray(block.flat[rows], dtype=np.float64).sum(axis=0)[None, :]
        drawn = expected.pulls(counts)[0] if expected else None
        return Row(
            element=element,
            lumisections=covered,
            shown=shown,
            counts=counts[0],
            mean=expected.scaled(counts)[0] if expected else None,
            pulls=drawn,
            pull=float(drawn[np.argmax(np.abs(drawn))]) if drawn is not None and shown else None,
            shades=_shades(steps, pulls) if pulls is not None else (),
            course=_course(block, self.looking.run.last_lumisection) if element.is_quantity else (),
        )

    def _worst(self, steps: Windows, pulls: Any | None) -> LumiSet:
        """The window with the largest pull and its neighbours in which the same bin is wrong the same way."""
        if pulls is None:
            return LumiSet()
        row, place = np.unravel_index(int(np.argmax(np.abs(pulls))), pulls.shape)
        alike = pulls[:, place] * np.sign(pulls[row, place]) > 0.5 * abs(pulls[row, place])
        first = last = int(row)
        while first > 0 and alike[first - 1]:
            first -= 1
        while last + 1 < len(alike) and alike[last + 1]:
            last += 1
        return LumiSet.from_ranges([(int(steps.first[first]), int(steps.last[last]))])

    @cached_property
    def defects(self) -> list[DefectInRun]:
        """Those recorded of the systems that are looked at, the intolerable ones first."""
        codes = {code for code in self.systems if code} if self.system is None else {self.system}
        mine = [defect for defect in self.looking.defects if defect.system in codes]
        return sorted(mine, key=lambda defect: (not defect.intolerable, defect.defect))[:MOST_DEFECTS]


def _course(block: HistogramBlock, last: int) -> list[float | None]:
    known = dict(zip(block.conditions.lumisection.tolist(), block.totals.tolist(), strict=True))
    return [known.get(number) for number in range(1, last + 1)]


def _shades(steps: Windows, pulls: Any) -> list[tuple[LumiSet, int]]:
    largest = np.abs(pulls).max(axis=1)
    shade = np.searchsorted(SHADES, largest, side="right")
    return [
        (
            LumiSet.from_ranges(
                [(int(steps.first[row]), int(steps.last[row])) for row in np.flatnonzero(shade == level)]
            ),
            level,
        )
        for level in (1, 2, 3)
        if (shade == level).any()
    ]
