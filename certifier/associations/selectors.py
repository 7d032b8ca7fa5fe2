"""Which comparison was made last, and what a map of runs is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db.models import Max

from certifier.accounts.models import System
from certifier.monitoring.models import Element, Part
from certifier.ops.models import Job, JobState

KIND: Final = "associations.compare"
SAMPLES: Final = "associations.samples"
RUN_MAP: Final = "associations.run_map"


def key_of(*, defect: str = "", element: str = "") -> str:
    return f"{KIND}:{f'defect {defect}' if defect else f'element {element}'}"[:200]


def key_of_samples(*, run: int, against: int, system: str, element: str) -> str:
    return f"{SAMPLES}:{run} {against} {system} {element}"[:200]


def key_of_map(system: System) -> str:
    return f"{RUN_MAP}:{system.code}"[:200]


def newest(key: str, kind: str = KIND) -> tuple[Job | None, Job | None]:
    """The newest comparison that came to its end, and the newest of all where that is another."""
    among = Job.objects.filter(kind=kind, key=key).select_related("requested_by")
    last = among.first()
    done = last if last is None or last.state == JobState.DONE else among.filter(state=JobState.DONE).first()
    return done, None if last is done else last


def shaped(system: System) -> list[Element]:
    """The elements of a system that have a shape: a quantity is a number."""
    return [each for each in Element.objects.filter(system=system).order_by("path") if not each.is_quantity]


def runs_with(elements: Sequence[Element], *, since: int = 0) -> list[int]:
    """Numbers of the runs that have histograms of one of these elements, ascending; only what came after the part
    `since`."""
    parts = Part.objects.filter(element__in=elements, pk__gt=since).order_by()
    return sorted(parts.values_list("dataset__run__number", flat=True).distinct())


def newest_part(elements: Sequence[Element]) -> int:
    """Key of the part of these elements that came last; 0 for none."""
    newest: int | None = Part.objects.filter(element__in=elements).aggregate(newest=Max("pk"))["newest"]
    return newest or 0
