"""What people do about jobs: see a failure, start the work again."""

from __future__ import annotations

from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import Conflict
from certifier.audit.unit import unit_of_work

from . import jobs
from .models import LIVE, Job, JobState, Trigger


def acknowledge_job(*, actor: User | None, job: Job) -> Job:
    """Somebody has seen that the job failed; it leaves the list of open failures. Coordinators.

    Conflict unless it failed.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_jobs(actor))
        if job.state not in (JobState.FAILED, JobState.LOST):
            raise Conflict(f"Job {job.pk} is {job.state}: only a failure can be acknowledged.")
        changed = Job.objects.filter(pk=job.pk, acknowledged_at=None).update(acknowledged_at=timezone.now())
        if changed:
            unit.audit("ops.acknowledge_job", f"job {job.pk}", {"kind": job.kind, "key": job.key})
    job.refresh_from_db()
    return job


def start_job_again(*, actor: User | None, job: Job) -> Job:
    """The same work as a new job; the old row stays as it ended. Coordinators. Conflict while the old one is live.

    Returns the live job of the same key where somebody has started one already.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_jobs(actor))
        if job.state in LIVE:
            raise Conflict(f"Job {job.pk} is {job.state}: wait for its end before starting it again.")
        again = jobs.start(job.kind, key=job.key, arguments=job.arguments, actor=actor, trigger=Trigger.PERSON)
        Job.objects.filter(pk=job.pk, acknowledged_at=None, state__in=[JobState.FAILED, JobState.LOST]).update(
            acknowledged_at=timezone.now()
        )
        unit.audit("ops.start_job_again", f"job {again.pk}", {"kind": job.kind, "key": job.key, "was": job.pk})
    return again
