"""Histograms that have changed since the model learned are named; those that follow luminosity are not."""

from __future__ import annotations

from typing import Any

from certifier.accounts.models import System
from certifier.watch.drifting import drift_of
from tests.precert.world import champion, score, take

RUNS = 12


def scored_runs(system: System, *, shifted_from: int = RUNS, share: float = 0.05) -> dict[str, Any]:
    version = champion(system)
    for place in range(RUNS):
        faults: dict[str, Any] = {"noise": "1-30", "strength": share} if place >= shifted_from else {}
        score(version, take(350001 + place, 30, system=system, **faults))
    return drift_of(version)


def test_a_change_in_every_new_run_is_named(lar: System) -> None:
    found = scored_runs(lar, shifted_from=RUNS // 2)
    assert len(found["reference"]) == len(found["current"]) == RUNS // 2
    named = {one["feature"].split(":")[0] for one in found["drifted"]}
    assert named == {"LAr/cellTime"}
    assert "have drifted: LAr/cellTime" in found["words"]


def test_runs_that_are_alike_have_not_drifted(lar: System) -> None:
    found = scored_runs(lar)
    assert found["drifted"] == []
    assert found["features"] == 16
    assert found["words"] == "None of 16 features has drifted."


def test_too_few_runs_are_said_to_be_too_few(lar: System) -> None:
    version = champion(lar)
    score(version, take(350001, 30, system=lar))
    assert "5 on each side are the least" in drift_of(version)["words"]
