"""Champion against challenger, training after training: the figure for Plotly, and the table that says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .models import Outcome, Training

COLOURS: Final = {
    Outcome.PROMOTED: "var(--good)",
    Outcome.SHADOW: "var(--unsure)",
    Outcome.REJECTED: "var(--bad)",
}


@dataclass(frozen=True)
class Measured:
    """One figure with its interval; None where it was not defined."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def read(cls, gate: Mapping[str, Any], who: str, name: str) -> Measured | None:
        found = gate.get(who, {}).get(name) or {}
        value = found.get("value")
        return None if value is None else cls(value, found.get("low"), found.get("high"))


@dataclass(frozen=True)
class Compared:
    """What the gate measured in one training."""

    training: Training
    challenger: Measured
    champion: Measured | None
    difference: Measured | None
    precision: Measured | None
    more_work: Measured | None
    automatic: float | None

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.training.outcome)

    @property
    def work_text(self) -> str:
        """How much more is left to experts: "+1.2%"."""
        return f"{100 * self.more_work.value:+.1f}%".replace("-", "−") if self.more_work else "–"


def compared(trainings: Iterable[Training]) -> list[Compared]:
    """Those whose gate measured an area, in the order given."""
    found = []
    for row in trainings:
        challenger = Measured.read(row.gate, "challenger", "auc")
        if challenger is None:
            continue
        found.append(
            Compared(
                row,
                challenger,
                Measured.read(row.gate, "champion", "auc"),
                Measured.read(row.gate, "difference", "auc"),
                Measured.read(row.gate, "difference", "average_precision"),
                Measured.read(row.gate, "difference", "grey_zone"),
                row.gate["challenger"].get("decided", {}).get("automatic"),
            )
        )
    return found


def compared_plot(rows: Sequence[Compared]) -> dict[str, Any] | None:
    """The oldest on the left; None where nothing was compared."""
    if not rows:
        return None
    ordered = sorted(rows, key=lambda each: each.training.number)
    with_champion = [each for each in ordered if each.champion is not None]
    return {
        "data": [
            _points(
                "champion", [(each.training, each.champion) for each in with_champion if each.champion], -0.1,
                {"color": "var(--ink2)", "symbol": "square", "size": 7},
            ),
            _points(
                "challenger", [(each.training, each.challenger) for each in ordered], 0.1,
                {"color": [COLOURS[each.outcome] for each in ordered], "symbol": "circle", "size": 9},
            ),
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "training"},
                "tickvals": [each.training.number for each in ordered],
                "range": [ordered[0].training.number - 0.6, ordered[-1].training.number + 0.6],
            },
            "yaxis": {"title": {"text": "area under ROC"}, "range": _range(ordered)},
            "legend": {"orientation": "h", "y": 1.15},
            "margin": {"t": 28, "r": 12, "b": 44, "l": 60},
        },
    }  # fmt: skip


def _range(rows: Sequence[Compared]) -> list[float]:
    """As much of the axis as the intervals need, and a little."""
    lows = [each.low or each.value for row in rows for each in (row.challenger, row.champion) if each]
    highs = [each.high or each.value for row in rows for each in (row.challenger, row.champion) if each]
    beside = max(0.1 * (max(highs) - min(lows)), 0.005)
    return [round(min(lows) - beside, 4), round(max(highs) + beside, 4)]


def _points(
    name: str, rows: Sequence[tuple[Training, Measured]], beside: float, marker: dict[str, Any]
) -> dict[str, Any]:
    above = [(figure.high or figure.value) - figure.value for _, figure in rows]
    below = [figure.value - (figure.low if figure.low is not None else figure.value) for _, figure in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        # Beside each other, so that neither hides the other's interval.
        "x": [training.number + beside for training, _ in rows],
        "y": [figure.value for _, figure in rows],
        "text": [f"training {training.number}, {training.get_outcome_display()}" for training, _ in rows],
        "error_y": {
            "type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": "var(--ink2)",
            "thickness": 1, "width": 3,
        },
        "marker": marker,
        "hovertemplate": "%{text}<br>%{y:.4f} " + name + "<extra></extra>",
    }  # fmt: skip
