"""What the script of the strip draws and reads out: the same lanes as `strip`, with who said what when, as JSON.

Lumisections go as their text, what was said once however many stretches say it, scores as thousandths: a run of 2,000
lumisections with 100 defects stays below 100 kB compressed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.precert.lanes import MachineLane
from certifier.review.decided import Decided
from certifier.runs.profile import COLUMNS

from .run_page import RunPage
from .strip import FlagLane, Strip, SystemLane

# A tooltip is no place for four thousand characters; the table has all of them.
LONGEST_COMMENT = 280
DIGITS = 4


class Words:
    """Each text once; a lane refers to it by its place."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._places: dict[tuple[Any, ...], int] = {}

    def place(self, state: str, user: str, at: datetime | None, comment: str) -> int:
        key = (state, user, at, comment)
        if key not in self._places:
            self._places[key] = len(self.rows)
            short = comment if len(comment) <= LONGEST_COMMENT else f"{comment[: LONGEST_COMMENT - 1]}…"
            self.rows.append([state, user, f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "", short])
        return self._places[key]


def strip_data(page: RunPage) -> dict[str, Any]:
    """What `static/js/strip.js` reads. Everything in it was read for the page already."""
    words = Words()
    lanes = dict(_lanes(page, page.strip, words))
    return {
        "run": page.run.number,
        "last": page.run.last_lumisection,
        "started": page.run.started_at.timestamp() if page.run.started_at else None,
        "columns": {name: _rounded(page.profile[name]) for name in COLUMNS},
        "lanes": lanes,
        "said": words.rows,
    }


def _lanes(page: RunPage, strip: Strip, words: Words) -> Iterator[tuple[str, dict[str, Any]]]:
    for flag in (*strip.flags, *strip.more_flags):
        yield flag.key, _flag(flag)
    if page.good is not None:
        yield "good", {"name": page.good.required, "parts": [["bad", str(page.good.lost), "present"]]}
    in_run = {defect.defect: defect for defect in page.defects}
    for system in strip.systems:
        yield system.key, _system(system)
        for lane in system.defects:
            yield lane.key, _defect(in_run[lane.name], words)
        if system.machine is not None:
            yield from _machine(system.machine)
        if system.decided is not None:
            yield f"decided:{system.system.code}", _decided(system.decided, words)


def _flag(flag: FlagLane) -> dict[str, Any]:
    return {"name": flag.label, "parts": [["flag", str(flag.lumisections), "set"]]}


def _system(lane: SystemLane) -> dict[str, Any]:
    parts = [[kind, str(where), word] for where, kind, word in lane.sums if where]
    return {"name": lane.system.code, "reading": lane.reading, "parts": parts, "of": [one.key for one in lane.defects]}


def _defect(defect: DefectInRun, words: Words) -> dict[str, Any]:
    """What was said alike at the same time is one part."""
    together: dict[tuple[bool, int], int] = {}
    for one in defect.told:
        state = "absent" if not one.present else "recoverable" if one.recoverable else "present"
        for bits, at in one.parts:
            key = (one.present, words.place(state, one.user, at, one.comment))
            together[key] = together.get(key, 0) | bits
    kind = "int" if defect.intolerable else "tol"
    parts = [
        [kind if present else "absent", str(LumiSet.from_bits(bits)), place]
        for (present, place), bits in together.items()
    ]
    return {"name": defect.defect, "intolerable": defect.intolerable, "parts": parts}


def _machine(lane: MachineLane) -> Iterator[tuple[str, dict[str, Any]]]:
    code = lane.verdict.system.code
    findings = [
        [str(each.finding.lumisections), each.finding.verdict, each.finding.suspected_defect, each.finding.score]
        for each in lane.findings
    ]
    parts = [[kind, str(where), word] for where, kind, word in lane.parts if where]
    yield f"machine:{code}", {"name": f"{code} machine", "title": lane.title, "parts": parts, "findings": findings}
    if lane.verdict.scoring is not None:
        hidden = lane.hidden
        yield (
            f"score:{code}",
            {
                "name": f"{code} score",
                "scores": [None if score is None else round(1000 * score) for score in lane.verdict.scores],
                "thresholds": lane.thresholds,
            }
            | ({"hidden": hidden.lumisections.ranges(), "until": hidden.until_words} if hidden else {}),
        )


def _decided(decided: Decided, words: Words) -> dict[str, Any]:
    parts = []
    for one in decided.decisions:
        for kind, where in (("good", one.good), ("bad", one.bad)):
            if where:
                parts.append([kind, str(where), words.place(f"decided {kind}", one.by_name, one.at, one.comment)])
    return {"name": f"{decided.code} decided", "parts": parts}


def _rounded(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Four digits are more than a screen shows; None where unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        tens = DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    up, down = 10.0 ** np.clip(tens, 0, 300), 10.0 ** np.clip(-tens, 0, 300)
    # Divided by a power of ten, and not multiplied by its inverse, a number is the one that is written so shortly.
    rounded = np.where(np.isfinite(tens), np.round(values * up / down) / up * down, values)
    return [None if value != value else value for value in rounded.tolist()]  # noqa: PLR0124  NaN differs
