"""What speaks for and against an item: histograms against what is expected, and what the machine says of them.

The first is the same for every item. The second is left out where the verdict is not shown: nothing here may tell
more than the queue does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.monitoring.comparison import windows
from certifier.monitoring.errors import HistogramsLost
from certifier.precert.hiding import Hidden, Shown, shown_to
from certifier.review.models import Item
from certifier.runs.selectors import strip_columns
from certifier.web.histograms import png
from certifier.web.histograms.looking import Looking, Options
from certifier.web.histograms.overview import Overview, Row
from certifier.web.templatetags.histograms import WRONG

# Lumisections on either side of an item that its picture shows, and the most columns it has.
AROUND, MOST_COLUMNS = 20, 200
SHOWN_ELEMENTS = 6
SHOWN_CASES = 5


@dataclass(frozen=True)
class Heat:
    """An element along the lumisections around an item, as a picture; `marks` are its places in per cent."""

    element: str
    address: str
    first: int
    last: int
    marks: list[tuple[float, float]]


class Evidence:
    """Of one item, as `viewer` sees it; what is asked for is read once, when it is asked for."""

    def __init__(self, item: Item, viewer: Any) -> None:
        self.item = item
        self.viewer = viewer
        options = Options(
            dataset=item.scoring.dataset.name, lumisections=str(item.lumisections), system=item.system.code
        )
        self.looking = Looking(item.run.number, options)
        self.run = self.looking.run
        # Why there are no histograms to look at; known after `rows`.
        self.lost = ""

    @cached_property
    def overview(self) -> Overview:
        return Overview(self.looking)

    @cached_property
    def rows(self) -> list[Row]:
        """The elements of the system, those that look worst in the item first; none where their files are lost."""
        try:
            return [row for row in self.overview.rows if row.element.system_id == self.item.system_id]
        except HistogramsLost as error:
            self.lost = str(error)
            return []

    @property
    def shown(self) -> list[Row]:
        return self.rows[:SHOWN_ELEMENTS]

    @property
    def hidden(self) -> int:
        return max(len(self.rows) - SHOWN_ELEMENTS, 0)

    @property
    def recorded(self) -> list[float | None]:
        return strip_columns(self.run, self.looking.profile)["recorded_inv_nb"]

    @cached_property
    def heat(self) -> Heat | None:
        """The worst element around the item, bins that are far from what is expected in red."""
        if not self.rows or self.rows[0].element.is_quantity:
            return None
        worst = self.rows[0].element
        where = self.item.lumisections
        first = max((where.first or 1) - AROUND, 1)
        last = min((where.last or 1) + AROUND, self.run.last_lumisection)
        around = LumiSet.from_ranges([(first, last)])
        block = self.looking.block(self.looking.by_path[worst.path], around)
        columns = windows(block, max(1, -(-(last - first + 1) // MOST_COLUMNS)))
        if not len(columns):
            return None
        counts = columns.counts
        wrong = None
        expected = self.looking.expected({worst.path: block}).get(worst.path)
        if expected is not None:
            pulls = np.abs(expected.pulls(counts)).reshape(len(counts), worst.bins[0], -1)
            wrong = pulls.max(axis=2) >= WRONG
        along = counts.reshape(len(counts), worst.bins[0], -1).sum(axis=2)
        shape = along / np.maximum(along.sum(axis=1, keepdims=True), 1.0)
        return Heat(worst.path, png.picture(shape, wrong), int(columns.first[0]), int(columns.last[-1]),
                    self._marks(int(columns.first[0]), int(columns.last[-1])))  # fmt: skip

    def _marks(self, first: int, last: int) -> list[tuple[float, float]]:
        length = last - first + 1
        inside = self.item.lumisections & LumiSet.from_ranges([(first, last)])
        return [(100 * (start - first) / length, 100 * (end - start + 1) / length) for start, end in inside]

    # -- what was recorded ----------------------------------------------------------------------------------------

    @cached_property
    def defects(self) -> list[DefectInRun]:
        """Recorded in the run, those that overlap the item first, then those of its system."""
        where, code = self.item.lumisections, self.item.system.code
        return sorted(
            self.looking.defects,
            key=lambda each: (not (each.present & where), each.system != code, each.defect),
        )

    # -- what the machine says ------------------------------------------------------------------------------------

    @property
    def machine(self) -> list[tuple[LumiSet, str, str]] | None:
        """Its verdicts along the run, as `lane_parts` draws them; None where they are not shown."""
        return self._said_of_run.parts if self.item.shows_verdict else None

    @property
    def scores(self) -> list[float | None] | None:
        return self._said_of_run.scores if self.item.shows_verdict else None

    @property
    def not_told(self) -> Hidden | None:
        """Of another item of the run, which they hold and are told no verdict of."""
        return self._said_of_run.hidden if self.item.shows_verdict else None

    @cached_property
    def _said_of_run(self) -> Shown:
        scoring = self.item.scoring
        return shown_to(self.viewer, scoring.version, [scoring])[0]

    @property
    def said(self) -> dict[str, Any]:
        """The evidence of the finding; empty where there is none, or where it is not shown."""
        finding = self.item.finding
        return dict(finding.evidence) if finding is not None and self.item.shows_verdict else {}

    @property
    def cases(self) -> list[dict[str, Any]]:
        return list(self.said.get("cases", ()))[:SHOWN_CASES]
