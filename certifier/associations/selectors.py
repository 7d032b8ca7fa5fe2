"""Which comparison was made last."""

from __future__ import annotations

from typing import Final

from certifier.ops.models import Job, JobState

KIND: Final = "associations.compare"
SAMPLES: Final = "associations.samples"


def key_of(*, defect: str = "", element: str = "") -> str:
    return f"{KIND}:{f'defect {defect}' if defect else f'element {element}'}"[:200]


def key_of_samples(*, run: int, against: int, system: str, element: str) -> str:
    return f"{SAMPLES}:{run} {against} {system} {element}"[:200]


def newest(key: str, kind: str = KIND) -> tuple[Job | None, Job | None]:
    """The newest comparison that came to its end, and the newest of all where that is another."""
    among = Job.objects.filter(kind=kind, key=key).select_related("requested_by")
    last = among.first()
    done = last if last is None or last.state == JobState.DONE else among.filter(state=JobState.DONE).first()
    return done, None if last is done else last
