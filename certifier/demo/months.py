"""The months before the demo's runs: sixty-eight short runs of LAR and PIXEL, lived through week by week as any year.

The first weeks are read by hand; then models learn on some Sundays, take over what they can promise, and are watched.
In the last week of March the pixel detector begins to send empty events that no histogram of it shows: the blind audit
finds it, automation stops, people read by hand what was certified since, and once the read-out is mended automation
goes on. Which Sunday that is depends on the installation's key, which chooses the samples. Somebody tries a recipe that
is worse, and the gate says so. Everything goes through the services; the player is `weeks`, which the benchmark of the
year uses as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from django.conf import settings

from certifier.accounts.models import System, User
from mlcore.histograms import Axis
from mlcore.simulate.shape_faults import Spike, TruncatedHistogram

from . import people
from .clock import standing_at
from .histograms import SYSTEM_OF, shapes_of_elements
from .season import Detector, Effect, Family, Fault, Season, Silent
from .weeks import People, Weeks

CORRUPT, NOISE = "LAR_DATACORRUPT", "LAR_EMECA_SEVNOISEBURST"
OFF, EMPTY = "PIXEL_BARREL_STANDBY", "PIXEL_READOUT_PROBLEM"
MONDAY: Final = datetime(2018, 1, 8, tzinfo=UTC)
WEEKS: Final = 17
FIRST_RUN: Final = 348_001
LEARNING, SILENT_WEEK = (8, 10, 12, 13, 16), 11
# Of each run from then on: so much that the audit finds it within three weeks or so, whatever the key.
SILENT_SHARE: Final = 0.9
# What some thousand lumisections can prove. Of a short year more is audited than of a long one.
LIMIT: Final = 0.05
AUDITED, WHOLE = 0.2, 0.1
RECIPE: Final[dict[str, Any]] = {
    "detectors": [
        {"name": "pulls", "parameters": {}, "elements": ["*"], "axes": 1},
    ],
    "pollution": LIMIT, "loss": LIMIT, "refresh": 1, "most_features": 40, "doubt_folds": 2, "folds": 2,
    "family_trees": 30,
    "classifier_parameters": {"max_iter": 30, "max_depth": 4, "n_estimators": 0}, "shares": [0.3, 0.3, 0.1, 0.3],
}  # fmt: skip
# Looks at the times of the end-cap only, and so sees noise and nothing else.
POORER: Final = RECIPE | {
    "detectors": [{"name": "pulls", "parameters": {}, "elements": ["LAr/EMECA/*"], "axes": 1}],
    "shape_features": False,
}


@dataclass(frozen=True)
class Both:
    """Two faults of one element that come together."""

    first: Fault
    second: Fault

    def apply(self, expected: Any, rows: Any, rng: np.random.Generator) -> Any:
        return self.second.apply(self.first.apply(expected, rows, rng), rows, rng)


def _energy(axis: Axis, strength: float, rng: np.random.Generator) -> Fault:
    return Both(
        TruncatedHistogram(axis=axis, fraction=0.32, strength=0.5 * strength),
        Spike(axis=axis, bin=29, share=0.04 * strength),
    )


def _charge(axis: Axis, strength: float, rng: np.random.Generator) -> Fault:
    """Without high voltage large charges are lost, and what is left piles up at the threshold."""
    return Both(
        TruncatedHistogram(axis=axis, fraction=0.5, strength=strength),
        Spike(axis=axis, bin=7, share=0.1 * strength),
    )


def of(fault: Any, **parameters: Any) -> Effect:
    return lambda axis, strength, rng: fault(axis=axis, strength=strength, **parameters)


def detectors() -> list[Detector]:
    by_system: dict[str, list[Any]] = {}
    for shape in shapes_of_elements():
        by_system.setdefault(SYSTEM_OF[shape.element], []).append(shape)
    families = {
        "LAR": [
            Family(
                CORRUPT,
                {"LAr/EMBA/cellEnergy": _energy, "LAr/EMBA/cellTime": of(Spike, bin=36, share=0.03)},
                longest=10,
            ),
            Family(NOISE, {"LAr/EMECA/cellTime": of(Spike, bin=31, share=0.03)}, longest=3),
        ],
        "PIXEL": [Family(OFF, {"Pixel/BarrelLayer1/charge": _charge}, longest=8)],
    }  # fmt: skip
    return [Detector(code, code, by_system[code], families[code], bad=0.12) for code in families]


def season() -> Season:
    return Season(
        detectors(), MONDAY, weeks=WEEKS, count=4 * WEEKS, length=45.0, first_run=FIRST_RUN, seed=2017,
        strengths=(0.5, 1.0), silent=[Silent("PIXEL", SILENT_WEEK, EMPTY, share=SILENT_SHARE)],
        pileup=(33.0, 33.0), spread=0.25, inv_nb_per_collision=(0.9, 4.8), dose=0.0,
    )  # fmt: skip


@contextmanager
def of_a_short_year(recipe: dict[str, Any]) -> Iterator[None]:
    """Settings for as long as the months are played."""
    wanted = {"TRAINING_RECIPE": {"*": recipe}, "REVIEW_AUDIT_SHARE": AUDITED, "REVIEW_WHOLE_SHARE": WHOLE}
    before = {name: getattr(settings, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(settings, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


def play(users: dict[str, User], dataset: str, facts: dict[str, Any]) -> Weeks:
    """All of it, up to the Sunday before the demo's first run."""
    played = season()
    experts = {each.code: users[people.EXPERT_OF[each.code]] for each in played.detectors}
    weeks = Weeks(
        played,
        People(experts, users[people.COORDINATOR]),
        dataset=dataset,
        learning=LEARNING,
        facts=facts,
    )
    end = played.week_begins(WEEKS)
    with of_a_short_year(RECIPE):
        for week in range(WEEKS):
            weeks.live(week)
    with of_a_short_year(RECIPE | POORER), standing_at(end - timedelta(hours=3)):
        weeks.train(System.objects.get(code="LAR"))
    with of_a_short_year(RECIPE), standing_at(end - timedelta(hours=2)):
        for system in weeks.systems.values():
            weeks.ask_again(system)
    return weeks
