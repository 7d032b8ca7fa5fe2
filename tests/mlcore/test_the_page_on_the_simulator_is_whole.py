"""docs/simulator.md names every family with where it shows, and shows pictures that are there and small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlcore.simulate.families import FAMILIES, Family
from mlcore.simulate.plots import PLOTS

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_family_is_described_as_it_is(family: Family) -> None:
    line = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| {family.name} |"))
    _, _, system, spoils, visible, notes, _ = (cell.strip() for cell in line.split("|"))
    assert system == family.system
    assert tuple(re.findall(r"\w+", spoils)) == family.spoils
    assert tuple(re.findall(r"`([^`]+)`", visible)) == family.visible
    assert ("unseen" in notes) == family.unseen
    assert ("tolerable" in notes) == (not family.intolerable)


def test_every_picture_is_shown_and_below_60_kilobytes() -> None:
    shown = set(re.findall(r"\]\(plots/simulator/(\w+)\.png\)", PAGE.read_text()))
    assert shown == set(PLOTS)
    for name in shown:
        assert (PAGE.parent / "plots" / "simulator" / f"{name}.png").stat().st_size < 60_000
