"""The loss of a list as a chart: a bar per system, by what might bring the lumisections back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .loss_table import NOT_SIGNED, LossTable
from .luminosity import Luminosity

UNITS = (("/fb", 1e6), ("/pb", 1e3), ("/nb", 1.0))


@dataclass(frozen=True)
class Measure:
    """What the bars are long by: recorded luminosity in a unit, or lumisections where no luminosity is known."""

    unit: str
    factor: float

    def of(self, amount: Luminosity) -> float:
        if self.unit == "LS":
            return float(amount.lumisections)
        return (amount.recorded_inv_nb or 0.0) / self.factor


def measure_of(table: LossTable) -> Measure:
    lost = table.lost.recorded_inv_nb
    if not lost:
        return Measure("LS", 1.0)
    unit, factor = next(((unit, factor) for unit, factor in UNITS if lost >= factor), UNITS[-1])
    return Measure(unit, factor)


def size_of(table: LossTable) -> str:
    """The class of the figure: as high as its bars need."""
    count = len(table.systems)
    return "plot-low" if count <= 3 else "plot" if count <= 10 else "plot plot-tall"


def loss_plot(table: LossTable) -> dict[str, Any] | None:
    """For Plotly; None where nothing is lost. The largest loss on top."""
    measure = measure_of(table)
    systems = sorted(table.systems, key=lambda system: (measure.of(system.lost), system.system))
    if not systems:
        return None
    bars = [
        ("irrecoverable", "var(--bad)", [measure.of(each.lost) - _other(measure, each) for each in systems]),
        ("recoverable", "var(--unsure)", [measure.of(each.recoverable) for each in systems]),
        (NOT_SIGNED, "var(--none)", [measure.of(each.not_signed_off) for each in systems]),
    ]
    names = [system.system for system in systems]
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "x": [max(value, 0.0) for value in values],
                "y": names,
                "marker": {"color": colour},
                "hovertemplate": f"%{{y}} {name}: %{{x:.3g}} {measure.unit}<extra></extra>",
            }
            for name, colour, values in bars
            if any(value > 0 for value in values)
        ],
        "layout": {
            "barmode": "stack",
            "xaxis": {
                "title": {"text": "lumisections lost" if measure.unit == "LS" else f"recorded, lost, {measure.unit}"}
            },
            "yaxis": {"type": "category", "automargin": True, "tickmode": "linear", "dtick": 1},
            "bargap": 0.3,
            "legend": {"orientation": "h", "y": 1.12},
            "margin": {"t": 28, "r": 12, "b": 44},
        },
    }


def _other(measure: Measure, system: Any) -> float:
    return measure.of(system.recoverable) + measure.of(system.not_signed_off)
