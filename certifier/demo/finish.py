"""What follows the load: background jobs that really ran, the accounts on paper, the closing table."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db.models import Sum

from certifier.accounts import demo_accounts
from certifier.accounts.models import User
from certifier.defects.models import Defect, Entry, Tag
from certifier.goodruns.models import GoodRunList
from certifier.monitoring.models import Element, Part
from certifier.ops import jobs
from certifier.ops import services as ops
from certifier.ops.models import LIVE, Job, JobState, Trigger
from certifier.precert.models import ModelVersion, Scoring
from certifier.review.models import Decision, Item, ItemState, SignOff
from certifier.runs.models import Lumisection, Run, RunProfile
from certifier.trends.models import Alarm, Trend

from . import load, people, world

PATIENCE_S = 60.0


def run_jobs() -> None:
    """Three jobs, once: a check of the world, the import of a file that was cut off, the same file whole."""
    if Job.objects.filter(kind="demo.import_list", state=JobState.DONE).exists():
        return
    chi = User.objects.get(username=people.COORDINATOR)
    text = load.ready_list(list(world.runs()))
    with quiet():
        perform("demo.check_world", {}, chi)
        broken = perform("demo.import_list", {"name": load.READY_LIST, "text": text[: len(text) // 2]}, chi)
        if broken.state == JobState.FAILED:
            ops.acknowledge_job(actor=chi, job=broken)
        perform("demo.import_list", {"name": load.READY_LIST, "text": text}, chi)


def perform(kind: str, arguments: dict[str, str], actor: User) -> Job:
    """Ask for a job and do it here; its message in the queue then finds it done. A worker may have been quicker."""
    name = arguments.get("name", "")
    job = jobs.start(kind, key=f"{kind}:{name}", arguments=arguments, actor=actor, trigger=Trigger.COMMAND)
    jobs.perform(job.pk)
    waited_until = time.monotonic() + PATIENCE_S
    job.refresh_from_db()
    while job.state in LIVE and time.monotonic() < waited_until:
        time.sleep(0.1)
        job.refresh_from_db()
    return job


@contextmanager
def quiet() -> Iterator[None]:
    """A failure that is part of the story is no news for the terminal."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def accounts_file() -> Path:
    return Path(settings.CERTIFIER_VAR) / demo_accounts.FILE


def write_accounts() -> Path:
    """The demo's accounts, for `serve` to print; the sign-in page shows them as `accounts.demo_accounts` reads them."""
    width = max(len(person.username) for person in people.PEOPLE)
    lines = [f"Demo accounts, each with the password “{people.PASSWORD}”:", ""]
    lines += [
        f"{person.username:<{width}}  {person.first_name} {person.last_name}, {person.does}" for person in people.PEOPLE
    ]
    path = accounts_file()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def summary() -> list[tuple[str, str]]:
    """What there is now, as (what, how much)."""
    recorded = RunProfile.objects.aggregate(total=Sum("recorded_inv_nb"))["total"] or 0.0
    virtual = Defect.objects.exclude(expression=None).count()
    return [
        ("runs", f"{Run.objects.count():,}"),
        ("lumisections", f"{Lumisection.objects.count():,}"),
        ("recorded", f"{recorded / 1e3:,.1f} /pb"),
        (
            "histograms",
            f"{Part.objects.aggregate(sum=Sum('histograms'))['sum'] or 0:,} of {Element.objects.count():,} elements",
        ),
        ("defects", f"{Defect.objects.count() - virtual:,} primary, {virtual:,} virtual"),
        ("entries", f"{Entry.objects.count():,}"),
        ("tags", ", ".join(Tag.objects.order_by("id").values_list("name", flat=True))),
        ("sign-offs", f"{SignOff.objects.count():,}"),
        ("good-run lists", f"{GoodRunList.objects.count():,}"),
        ("models", f"{ModelVersion.objects.count():,}, {Scoring.objects.count():,} scorings"),
        (
            "review",
            f"{Decision.objects.count():,} decisions, {Item.objects.filter(state=ItemState.OPEN).count():,} items wait",
        ),
        ("trends", f"{Trend.objects.count():,} kept, {Alarm.objects.count():,} alarms"),
        ("jobs", f"{Job.objects.count():,}"),
        ("accounts", f"{User.objects.count():,}, see {accounts_file()}"),
    ]
