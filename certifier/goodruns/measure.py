"""What the loss of a list is drawn in: one unit for all of it."""

from __future__ import annotations

from dataclasses import dataclass

from .loss_table import LossTable
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
