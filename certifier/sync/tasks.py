"""Background work of this room: one pass over a source, and the beat that asks for it."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from certifier.ops.jobs import JobHandle, background

from . import services
from .errors import FollowedElsewhere, SourceFailed
from .services import KIND, words_of
from .sources import configured, source_named

logger = logging.getLogger(__name__)


@background(KIND)
def follow(job: JobHandle, *, source: str) -> dict[str, Any]:
    """One pass over a source. Harmless to repeat: it goes on where the cursor stands."""
    row = services.follow(
        actor=job.job.requested_by,
        source=source_named(source),
        progress=lambda done, total, what: job.progress(done / max(total, 1), f"{done:,} {what}"),
        job=job.job,
    )
    return {"pass": row.pk, "outcome": row.outcome, "words": row.words or words_of(row.counts)}


@shared_task(name="sync.follow_all")
def follow_all() -> dict[str, str]:
    """A pass over every source that nobody else follows. One that fails keeps none of the others waiting."""
    came: dict[str, str] = {}
    for name, source in configured().items():
        try:
            row = services.follow(actor=None, source=source, progress=lambda *_: None, by_clock=True)
            came[name] = words_of(row.counts)
        except FollowedElsewhere:
            came[name] = "followed elsewhere"
        except SourceFailed as failure:
            logger.warning("%s: %s", name, failure)
            came[name] = "failed"
    return came
