"""Background work of this room: scoring on the queue of that name, and finding what has not been scored."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.monitoring.selectors import find_element
from certifier.ops.jobs import JobHandle, background
from certifier.runs.models import Dataset

from . import looks, selectors, unscored


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


@background(looks.LOOK, queue="score")
def look(job: JobHandle, *, model: int, run: int, dataset: str, element: str, lumisections: str) -> dict[str, Any]:
    """What a model's detectors say of one element of a run. It writes nothing but its result."""
    from .looking import look

    row = Dataset.objects.select_related("run").get(run__number=run, name=dataset)
    wanted = LumiSet.parse(lumisections, row.run.last_lumisection)
    return look(selectors.find_version(model), row, find_element(element), wanted, job.progress)


@background(looks.CURVES, queue="score")
def curves(job: JobHandle, *, model: int) -> dict[str, Any]:
    """How the networks of a model learned. It writes nothing but its result."""
    from .looking import curves

    return curves(selectors.find_version(model))


@shared_task(name="precert.find_unscored")
def find_unscored() -> dict[str, int]:
    """Start a job for whatever a champion, or a version in shadow, has not seen as it is now."""
    waiting = unscored.unscored()
    return {"waiting": len(waiting), "started": len(unscored.start_jobs(waiting))}
