"""Who signed which stage of which run, in the order of time, so that every state of a signature can be seen somewhere.

Period K is signed to the end, period L mostly to the bulk stage, period M has begun. What is not ordinary is written
out below.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from .catalogue import SYSTEMS
from .checklists import LEFT_OPEN
from .people import COORDINATOR, EXPERT_OF, SHIFTER
from .world import END_OF_WORLD, SEED, SHOWCASE, WorldRun, at

SIGN, REOPEN = "sign", "reopen"
STAGES = ("express", "bulk", "final")
FINAL_OF_PERIOD = {"K": at(25, 9, 0)}

CHECKED = ("checked", "all good", "checked, nothing new", "", "", "sign off")
SPECIAL = {
    "TILE": "Known issue: LBA32 is off",
    "PIXEL": "checked, occupancy as in the reference run",
    "SCT": "checked, total eff above 98.9%",
    "LAR": "checked, noise bursts veto applied",
    "TRIG_L1": "rates follow the luminosity",
}

# How far a system comes where it is not the ordinary way: (run, system) -> number of stages signed.
HELD_BACK = {
    (SHOWCASE, "LAR"): 2, (SHOWCASE, "JET"): 0, (SHOWCASE, "MET"): 0, (SHOWCASE, "TAU"): 0, (SHOWCASE, "BTAG"): 0,
    (SHOWCASE, "EGAMMA"): 1, (SHOWCASE, "CSC"): 1, (SHOWCASE, "TRIG_HLT"): 1,
    (350440, "MDT"): 1, (350558, "LAR"): 1, (350558, "PIXEL"): 1, (350771, "MET"): 1, (350771, "JET"): 1,
    (350767, "LUMI"): 1, (350220, "BTAG"): 2, (350361, "TILE"): 2,
}  # fmt: skip


class Act(NamedTuple):
    """One signature or its withdrawal."""

    at: datetime
    run: int
    system: str
    stage: str
    action: str
    by: str
    comment: str


REOPENED = (
    Act(at(30, 10, 12), SHOWCASE, "LAR", "bulk", REOPEN, "ada",
        "Two front-end boards of half barrel A are read out anew in the reprocessing; look at 117-133 again"),
    Act(at(21, 15, 40), 350549, "TRIG_L1", "bulk", REOPEN, "jon",
        "Prescales of LS 40-55 differ from the key in the log, asking the shift"),
    Act(at(23, 9, 5), 350193, "TRT", "bulk", REOPEN, "fay",
        "Gas analysis arrived: the xenon fraction was low for longer than recorded"),
    Act(at(24, 11, 30), 350193, "TRT", "bulk", SIGN, "fay",
        "Recorded to the end of the run, LS 1-65 are fine"),
    Act(at(26, 16, 20), 350013, "MDT", "final", REOPEN, COORDINATOR,
        "Stand-by of both end-caps is not in the list of defects; please compare"),
    Act(at(29, 9, 45), 350013, "MDT", "final", SIGN, "hal",
        "Compared: the stand-by ended before stable beams"),
)  # fmt: skip


def acts(runs: list[WorldRun]) -> list[Act]:
    """All of them, in the order of time; what would lie after the end of the world is left out."""
    planned = [act for run in runs if run.last for act in ordinary(run)] + list(REOPENED)
    return sorted((act for act in planned if act.at < END_OF_WORLD), key=lambda act: act.at)


def ordinary(run: WorldRun) -> Iterator[Act]:
    if run.ended_at is None:
        return
    rng = np.random.default_rng([SEED, run.number, 2])
    for position, system in enumerate(plan.code for plan in SYSTEMS):
        for stage in STAGES[: stages_signed(rng, run, system)]:
            when = signed_at(rng, run, stage, position)
            by, said = signer(rng, system, stage), words(rng, system)
            _, why = LEFT_OPEN.get((run.number, system, stage), ((), ""))
            yield Act(when, run.number, system, stage, SIGN, by, why or said)


def stages_signed(rng: np.random.Generator, run: WorldRun, system: str) -> int:
    """How many stages of the system are signed in the end."""
    held_back = HELD_BACK.get((run.number, system))
    if held_back is not None:
        return held_back
    if run.fill.period == "K":
        return 3
    if run.fill.period == "L":
        return 2
    return int(rng.random() < (0.9 if run.number < 351300 else 0.45))


def signed_at(rng: np.random.Generator, run: WorldRun, stage: str, position: int) -> datetime:
    """Express within two days, bulk within a week, and the last word on a period at its meeting."""
    if stage == "express":
        return run.over_at + timedelta(hours=float(rng.uniform(27, 44)))
    if stage == "bulk":
        return run.over_at + timedelta(days=float(rng.uniform(4.9, 6.3)))
    return FINAL_OF_PERIOD[run.fill.period] + timedelta(minutes=4 * position + run.number % 4)


def signer(rng: np.random.Generator, system: str, stage: str) -> str:
    return SHIFTER if stage == "express" and rng.random() < 0.25 else EXPERT_OF[system]


def words(rng: np.random.Generator, system: str) -> str:
    if system in SPECIAL and rng.random() < 0.4:
        return SPECIAL[system]
    return CHECKED[int(rng.integers(len(CHECKED)))]
