"""The waterfall: each step begins where the one above it ends, and the last is what is in the list."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.goodruns.loss_table import NOT_SIGNED, Charge, LossTable
from certifier.goodruns.luminosity import Luminosity
from certifier.goodruns.waterfall import MOST_STEPS, steps_of, waterfall_plot


def amount(lumisections: int) -> Luminosity:
    return Luminosity(lumisections, None, 1e3 * lumisections, 0, lumisections)


def table(*charges: Charge, good: int) -> LossTable:
    lost = sum(charge.lost.lumisections for charge in charges)
    return LossTable((), 1, amount(good + lost), amount(good), Luminosity(), charges)


def bars_of(plot: dict[str, Any] | None) -> list[tuple[str, float, float]]:
    assert plot is not None
    (trace,) = plot["data"]
    return [
        (name, base, base + length) for name, base, length in zip(trace["y"], trace["base"], trace["x"], strict=True)
    ]


def test_each_step_takes_away_what_those_above_have_left() -> None:
    plot = waterfall_plot(
        table(
            Charge("LAR", "LAR_HVTRIP", amount(10), amount(4)),
            Charge("LAR", NOT_SIGNED, amount(5)),
            Charge("PIXEL", "PIXEL_DISABLED", amount(2)),
            good=10,
        )
    )
    assert bars_of(plot) == [
        ("all runs", 0.0, 27.0),
        ("LAR_HVTRIP", 17.0, 21.0),  # what may come back
        ("LAR_HVTRIP", 21.0, 27.0),
        ("LAR not signed off", 12.0, 17.0),
        ("PIXEL_DISABLED", 10.0, 12.0),
        ("in the list", 0.0, 10.0),
    ]
    assert plot is not None
    assert plot["layout"]["xaxis"]["title"]["text"] == "recorded, /pb"


def test_the_axis_says_where_it_begins_when_most_is_good() -> None:
    plot = waterfall_plot(table(Charge("LAR", "LAR_HVTRIP", amount(4)), good=100))
    assert plot is not None
    assert plot["layout"]["xaxis"]["title"]["text"] == "recorded, /pb; the axis begins at 99"
    assert bars_of(plot)[-1] == ("in the list", 99.0, 100.0)


def test_small_steps_of_a_system_are_put_together_and_nothing_gets_lost() -> None:
    charges = [Charge("LAR", f"LAR_{n}", amount(n)) for n in range(1, 60)]
    charges += [Charge("PIXEL", f"PIXEL_{n}", amount(1000 + n)) for n in range(5)]
    steps = steps_of(table(*charges, good=7))
    assert len(steps) <= MOST_STEPS
    assert steps[-5:] == steps_of(table(*charges[-5:], good=7))
    assert "LAR, 38 more" in [step.name for step in steps]
    assert sum(step.lost.lumisections for step in steps) == sum(charge.lost.lumisections for charge in charges)


def test_nothing_is_drawn_where_nothing_is_lost() -> None:
    assert waterfall_plot(table(good=5)) is None


@pytest.mark.parametrize("count", [1, 3, 40])
def test_it_counts_lumisections_where_no_luminosity_is_known(count: int) -> None:
    charges = tuple(Charge("LAR", f"LAR_{n}", Luminosity(2)) for n in range(count))
    plot = waterfall_plot(LossTable((), 1, Luminosity(2 * count), Luminosity(0), Luminosity(), charges))
    assert bars_of(plot)[0] == ("all runs", 0.0, 2.0 * count)
    assert plot is not None
    assert plot["layout"]["xaxis"]["title"]["text"] == "lumisections"
