"""The loss of a list as a waterfall: from all that was recorded, step by step, down to what is in the list.

Steps stand in the order in which losses are charged, by system and defect, so that each takes away what those above
have left. Small ones of a system are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .loss_table import NOT_SIGNED, Charge, LossTable
from .luminosity import NOTHING, Luminosity, total
from .measure import Measure, measure_of

MOST_STEPS = 28
# How much of what is good is drawn, as a part of what is lost: the whole would make every step a hair.
SHOWN_OF_GOOD = 0.25


@dataclass(frozen=True)
class Step:
    name: str
    lost: Luminosity
    recoverable: Luminosity = NOTHING
    not_signed: bool = False


def steps_of(table: LossTable) -> list[Step]:
    """A step per charge, the smallest put together by system until no more than MOST_STEPS are left."""
    measure = measure_of(table)
    charges = [charge for charge in table.charges if charge.lost.lumisections]
    room = max(MOST_STEPS - len(table.systems), MOST_STEPS // 3)
    large = sorted(charges, key=lambda charge: -measure.of(charge.lost))[:room]
    kept = set(map(id, large)) if len(charges) > MOST_STEPS else set(map(id, charges))
    found: list[Step] = []
    for code in dict.fromkeys(charge.system for charge in charges):
        own = [charge for charge in charges if charge.system == code]
        found += [_step(charge) for charge in own if id(charge) in kept]
        found += _together(code, [charge for charge in own if id(charge) not in kept])
    return found


def _step(charge: Charge) -> Step:
    signature = charge.defect == NOT_SIGNED
    name = f"{charge.system} {charge.defect}" if signature else charge.defect
    return Step(name.removeprefix("!") if signature else name, charge.lost, charge.recoverable, signature)


def _together(code: str, charges: Sequence[Charge]) -> list[Step]:
    if len(charges) < 2:
        return [_step(charge) for charge in charges]
    lost, recoverable = (total(getattr(charge, part) for charge in charges) for part in ("lost", "recoverable"))
    return [Step(f"{code or 'other'}, {len(charges)} more", lost, recoverable)]


@dataclass(frozen=True)
class Bar:
    """From `base` on to the right; `text` is what hovering says."""

    name: str
    colour: str
    base: float
    length: float
    text: str


def waterfall_plot(table: LossTable) -> dict[str, Any] | None:
    """For Plotly; None where nothing is lost."""
    if not table.lost.lumisections:
        return None
    measure = measure_of(table)
    whole, good = measure.of(table.selected), measure.of(table.good)
    lost = sum(measure.of(step.lost) for step in steps_of(table))
    start = max(0.0, good - SHOWN_OF_GOOD * lost) if good > 1.5 * lost else 0.0
    bars = [Bar("all runs", "var(--flag)", start, whole - start, f"all runs: {whole:.4g} {measure.unit}")]
    level = whole
    for step in steps_of(table):
        level -= measure.of(step.lost)
        bars += _bars(step, level, measure)
    bars.append(Bar("in the list", "var(--good)", start, good - start, f"in the list: {good:.4g} {measure.unit}"))
    return _figure(bars, measure, start, whole)


def _bars(step: Step, level: float, measure: Measure) -> list[Bar]:
    """What a reprocessing may bring back stands first: it is the part next to what is good."""
    amount, back = measure.of(step.lost), measure.of(step.recoverable)
    found = []
    if back:
        found.append(
            Bar(step.name, "var(--unsure)", level, back, f"{step.name}: {back:.3g} {measure.unit} recoverable")
        )
    if amount > back:
        colour, word = ("var(--none)", "waits") if step.not_signed else ("var(--bad)", "lost")
        text = f"{step.name}: {amount - back:.3g} {measure.unit} {word}"
        found.append(Bar(step.name, colour, level + back, amount - back, text))
    return found


def _figure(bars: Sequence[Bar], measure: Measure, start: float, whole: float) -> dict[str, Any]:
    what = "lumisections" if measure.unit == "LS" else f"recorded, {measure.unit}"
    begins = f"; the axis begins at {start:.4g}" if start else ""
    names = list(dict.fromkeys(bar.name for bar in bars))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [max(bar.length, 0.0) for bar in bars],
        "y": [bar.name for bar in bars],
        "base": [bar.base for bar in bars],
        "marker": {"color": [bar.colour for bar in bars]},
        "hovertext": [bar.text for bar in bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    # Plotly draws the first category at the bottom.
    down = {"categoryorder": "array", "categoryarray": names[::-1], "tickmode": "linear", "dtick": 1}
    layout = {
        "barmode": "overlay",
        "showlegend": False,
        "xaxis": {"title": {"text": f"{what}{begins}"}, "range": [start, whole * 1.002], "showgrid": True},
        "yaxis": {"type": "category", "automargin": True, "showgrid": False, **down},
        "bargap": 0.25,
        "margin": {"t": 8, "r": 12, "b": 44},
    }
    return {"data": [trace], "layout": layout}


SIZES = ((5, "plot plot-low"), (12, "plot"), (18, "plot plot-tall"))


def size_of(table: LossTable) -> str:
    """The class of the figure: as high as its steps need."""
    count = len(steps_of(table)) + 2
    return next((size for most, size in SIZES if count <= most), "plot plot-high")
