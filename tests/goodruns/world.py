"""A small experiment to build lists in: two systems, a few defects over them, runs with luminosity."""

from __future__ import annotations

from certifier.accounts.models import System
from certifier.defects import services as defects
from certifier.defects.services import NewDefect, NewEntry
from certifier.lumi import LumiSet
from certifier.review.services import sign_off
from certifier.runs import services as runs
from certifier.runs.models import Run
from tests import cast

REQUIRED = "PHYS_ALL_GOOD"


def make_defects() -> None:
    """PIXEL and LAR, two primaries each, a virtual per system and one over both, which lists require."""
    for code in ("PIXEL", "LAR"):
        if not System.objects.filter(code=code).exists():
            cast.make_system(code)
    definitions = [
        NewDefect(name="PIXEL_DISABLED", system="PIXEL", intolerable=True),
        NewDefect(name="PIXEL_STANDBY", system="PIXEL", intolerable=True),
        NewDefect(name="LAR_HVTRIP", system="LAR", intolerable=True),
        NewDefect(name="LAR_NOISEBURST", system="LAR"),
        NewDefect(name="LAR_TOLERABLE", system="LAR"),
        NewDefect(name="PIX", system="PIXEL", expression="PIXEL_DISABLED or PIXEL_STANDBY"),
        NewDefect(name="EMBA", system="LAR", expression="LAR_HVTRIP LAR_NOISEBURST"),
        NewDefect(name=REQUIRED, system="PIXEL", expression="PIX or EMBA"),
    ]
    defects.define_defects(actor=None, definitions=definitions)


def make_run(number: int, lumisections: int = 10, *, recorded: list[float | None] | None = None) -> Run:
    """A run; `recorded` gives the luminosity of each lumisection, of which a tenth more was delivered."""
    run = cast.make_run(number, lumisections)
    if recorded is not None:
        delivered = [None if value is None else value * 1.1 for value in recorded]
        columns = {"recorded_inv_nb": recorded, "delivered_inv_nb": delivered}
        runs.put_lumisections(actor=None, run=number, columns=columns)
        run.refresh_from_db()
    return run


def record(
    run: int, defect: str, lumisections: str | LumiSet, *, present: bool = True, recoverable: bool = False
) -> None:
    entry = NewEntry(run=run, defect=defect, lumisections=lumisections, present=present, recoverable=recoverable)
    defects.record_entries(actor=None, entries=[entry], source="page")


def sign(number: int, *codes: str, stage: str = "express") -> None:
    run = Run.objects.get(number=number)
    for code in codes:
        sign_off(actor=None, run=run, system=System.objects.get(code=code), stage=stage)
