"""The demo's background jobs: real ones, so that the page of jobs shows what such a page shows."""

from __future__ import annotations

from typing import Any

from django.db.models import Sum

from certifier.accounts.models import User
from certifier.goodruns import formats
from certifier.goodruns import services as goodruns
from certifier.ops.jobs import JobHandle, background
from certifier.runs.models import Lumisection, Run

from . import people, world

TOLERANCE = 1e-6


class NotAsPlanned(AssertionError):
    """What is stored differs from what the demo generates."""


@background("demo.check_world")
def check_world(job: JobHandle) -> dict[str, Any]:
    """Read every run of the demo back and compare it with what was generated."""
    planned = list(world.runs())
    lumisections = 0
    for done, plan in enumerate(planned, start=1):
        run = Run.objects.get(number=plan.number)
        recorded = Lumisection.objects.filter(run=run).aggregate(sum=Sum("recorded_inv_nb"))["sum"] or 0.0
        expected = float(plan.recorded.sum())
        if run.last_lumisection < plan.last or abs(recorded - expected) > TOLERANCE * max(expected, 1.0):
            raise NotAsPlanned(f"Run {plan.number} holds {recorded:.3f} /nb where {expected:.3f} were generated.")
        lumisections += plan.last
        job.progress(done / len(planned), f"run {plan.number}")
    return {"runs": len(planned), "lumisections": lumisections}


@background("demo.import_list")
def import_list(job: JobHandle, *, name: str, text: str) -> dict[str, Any]:
    """Import a golden JSON that somebody sent."""
    job.progress(0.1, f"reading {name}")
    file = formats.read(text.encode())
    row = goodruns.import_list(
        actor=User.objects.get(username=people.COORDINATOR), name=name, file=file, source=f"{name}.json"
    )
    return {"list": row.pk, "runs": row.run_count, "lumisections": row.lumisection_count}
