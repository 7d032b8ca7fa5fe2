"""A picture that was asked for, drawn: the points with their runs, the profile, and the band of what is before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from certifier.lumi import LumiError, RunSelection
from certifier.runs.models import Run
from mlcore.trending import Band, Draw, FormulaError, Points, band

from .errors import TrendRefused
from .models import Per, Trend
from .quantities import Table, gather

# Without a selection, the latest; with one, the latest of those.
RUNS_AT_MOST: Final = {Per.RUN: 2_000, Per.LUMISECTION: 200}
WINDOW: Final = 30
FEWEST: Final = 8


@dataclass(frozen=True)
class Asked:
    """What is drawn, as people write it."""

    draw: str
    where: str = ""
    aliases: Mapping[str, str] | None = None
    per: Per = Per.RUN
    runs: str = ""
    sigmas: float = 4.0
    floor: float = 0.0

    @classmethod
    def of(cls, trend: Trend) -> Asked:
        return cls(
            trend.draw, trend.where, trend.aliases, Per(trend.per), trend.runs, sigmas=trend.sigmas, floor=trend.floor
        )


@dataclass(frozen=True)
class Picture:
    asked: Asked
    draw: Draw
    table: Table
    points: Points
    # Of points in the order of runs and lumisections.
    band: Band
    # Runs that were looked at, and whether there were more.
    runs: int
    is_cut: bool

    @property
    def outside(self) -> list[int]:
        """Places among the points of those outside the band."""
        return [int(place) for place in self.band.outside.nonzero()[0]]


def read(asked: Asked) -> Draw:
    """Raises TrendRefused naming the field."""
    try:
        return Draw.parse(asked.draw, where=asked.where, aliases=asked.aliases)
    except FormulaError as error:
        message = str(error)
        field = "aliases" if message.startswith(("alias", "the alias")) else _field(asked)
        raise TrendRefused(f"{message[0].upper()}{message[1:]}.", field=field) from None


def _field(asked: Asked) -> str:
    """Which of the two formulas it is that cannot be read."""
    try:
        Draw.parse(asked.draw, aliases=asked.aliases)
    except FormulaError:
        return "draw"
    return "where"


def picture(asked: Asked, *, most: int | None = None, viewer: Any = None) -> Picture:
    """What was asked for, of the latest `most` runs that are selected, as `viewer` may see it. Raises TrendRefused
    naming the field."""
    draw = read(asked)
    runs, is_cut = _runs(asked, most or RUNS_AT_MOST[asked.per])
    try:
        table = gather(asked.per, runs, draw.names, viewer=viewer)
    except TrendRefused as refusal:
        raise TrendRefused(refusal.message, field="draw") from None
    points = draw.evaluate(table.columns, len(table.run))
    found = band(points.y, window=WINDOW, fewest=FEWEST, sigmas=asked.sigmas, floor=asked.floor)
    return Picture(asked, draw, table, points, found, len(runs), is_cut)


def _runs(asked: Asked, most: int) -> tuple[list[Run], bool]:
    """The runs in ascending order, the latest of those selected, and whether earlier ones were left out."""
    try:
        selection = RunSelection.parse(asked.runs)
    except LumiError as error:
        raise TrendRefused(str(error), field="runs") from None
    numbers = Run.objects.order_by("-number").values_list("number", flat=True)
    if not selection.is_all:
        ranges = selection.ranges()
        numbers = numbers.filter(number__range=(ranges[0][0], ranges[-1][1]))
    chosen: list[int] = []
    for number in numbers.iterator(chunk_size=2_000):
        if number in selection:
            chosen.append(number)
            if len(chosen) > most:
                break
    kept = chosen[:most]
    rows = Run.objects.filter(number__in=kept).order_by("number") if kept else Run.objects.none()
    return list(rows), len(chosen) > most
