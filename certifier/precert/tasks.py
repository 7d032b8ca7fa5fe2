"""Background work of this room: scoring on the queue of that name, and finding what has not been scored."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from certifier.accounts.models import System
from certifier.ops.jobs import JobHandle, background
from certifier.runs.models import Dataset

from . import selectors, unscored


@background(unscored.KIND, queue="score")
def score(job: JobHandle, *, system: str, model: int, run: int, dataset: str) -> dict[str, Any]:
    """One dataset with one model. Harmless to repeat: what is there already stays."""
    from .scoring import score_dataset

    version = selectors.version_numbered(System.objects.get(code=system), model)
    row = Dataset.objects.select_related("run").get(run__number=run, name=dataset)
    done = score_dataset(version, row, job.progress)
    # How many, not which: a page of jobs must not tell what `hiding` hides.
    counts = {name: len(getattr(done, name)) for name in ("good", "bad", "unsure", "unscored")}
    return {"scoring": done.pk, "was there already": done.already_there, **counts}


@shared_task(name="precert.find_unscored")
def find_unscored() -> dict[str, int]:
    """Start a job for whatever a champion, or a version in shadow, has not seen as it is now."""
    waiting = unscored.unscored()
    return {"waiting": len(waiting), "started": len(unscored.start_jobs(waiting))}
