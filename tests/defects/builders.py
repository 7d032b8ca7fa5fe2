"""Short words for what nearly every test of this room does first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.defects import services
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Defect, Entry, Source
from certifier.defects.selectors import DefectInRun, run_defects
from certifier.runs.models import Run

HEAD = "HEAD"
# The fixtures of tests/conftest.py: a REST client, and a browser session, of a person.
Api = Callable[[User | None], APIClient]
Page = Callable[[User | None], Client]


def define(name: str, expression: str | None = None, *, system: str = "LAR", **options: Any) -> Defect:
    return services.define_defect(actor=None, name=name, system=system, expression=expression, **options)


def define_all(*names: str, system: str = "LAR") -> list[Defect]:
    new = [services.NewDefect(name=name, system=system) for name in names]
    return services.define_defects(actor=None, definitions=new)


def record(run: Run | int, defect: str, lumisections: str, *, actor: User | None = None, **payload: Any) -> Entry:
    number = run if isinstance(run, int) else run.number
    entry = NewEntry(run=number, defect=defect, lumisections=lumisections, **payload)
    return services.record_entries(actor=actor, entries=[entry], source=Source.REST)[0]


def of_run(run: Run, name: str, tag: str = HEAD, **asked: Any) -> DefectInRun | None:
    """The defect in the answer for the run, None where it is not in it."""
    found = {one.defect: one for one in run_defects(run, tag, **asked).defects}
    return found.get(name)


def slices(run: Run, name: str, tag: str = HEAD, **asked: Any) -> list[tuple[str, str]]:
    """(lumisections, comment) of every interval: for a virtual defect the stretches and their causes."""
    one = of_run(run, name, tag, **asked)
    return [(str(interval.lumisections), interval.comment) for interval in one.intervals] if one else []


def present(run: Run, name: str, tag: str = HEAD, **asked: Any) -> str:
    one = of_run(run, name, tag, **asked)
    return str(one.present) if one else ""
