"""What has not been scored: a query, not a queue. A worker that is killed loses nothing, and asking twice does nothing.

A dataset is to be scored by a version that is asked (the champion, and those in shadow) when it has histograms of the
version's system that came after its newest scoring, or when the run has grown since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.monitoring.models import Part
from certifier.ops import jobs
from certifier.ops.models import LIVE, Job, JobState, Trigger
from certifier.runs.models import Dataset, Run

from .models import ModelVersion, Scoring, State
from .selectors import SystemModels, models_of

KIND: Final = "precert.score"
# A worker has a day's runs in this many; the next sweep comes soon.
MOST_AT_ONCE: Final = 500
# What failed is not tried again at once: somebody must restore a file first. New histograms are tried at once.
TRY_AGAIN_AFTER: Final = timedelta(hours=6)


@dataclass(frozen=True)
class Unscored:
    """A dataset that a version has not seen, or not as it is now."""

    version: ModelVersion
    dataset: Dataset

    @property
    def key(self) -> str:
        return f"{KIND}:{self.version.system.code}:{self.version.number}:{self.dataset.pk}"

    def __str__(self) -> str:
        return f"{self.version} on run {self.dataset.run.number}, {self.dataset.name}"


def asked_versions(models: Sequence[SystemModels]) -> list[ModelVersion]:
    """The champions, and the versions that score beside them."""
    found = []
    for each in models:
        versions = {act.version_id: act.version for act in each.standing.acts}
        found += [
            version
            for version in versions.values()
            if each.standing.state_of(version) in {State.CHAMPION, State.SHADOW}
        ]
    return found


def unscored(systems: Sequence[System] | None = None, run: Run | None = None) -> list[Unscored]:
    """What is to be scored now, the latest runs first. Four queries, however much there is."""
    versions = asked_versions(models_of(systems))
    if not versions:
        return []
    newest = _newest_parts(versions, run)
    seen = _seen(versions, run)
    rows = Dataset.objects.select_related("run").in_bulk({dataset for dataset, _ in newest})
    found = []
    for version in versions:
        for (dataset, system), part in newest.items():
            row = rows[dataset]
            now = (part, row.run.last_lumisection)
            if system == version.system_id and row.run.last_lumisection and seen.get((version.pk, dataset)) != now:
                found.append(Unscored(version, row))
    return sorted(found, key=lambda each: (-each.dataset.run.number, each.version.system.code, each.dataset.name))


def _newest_parts(versions: Sequence[ModelVersion], run: Run | None) -> dict[tuple[int, int], int]:
    """By dataset and system, the last part."""
    rows = Part.objects.filter(element__system__in={version.system_id for version in versions}).order_by()
    if run is not None:
        rows = rows.filter(dataset__run=run)
    grouped = rows.values_list("dataset", "element__system").annotate(newest=Max("id"))
    return {(dataset, system): newest for dataset, system, newest in grouped}


def _seen(versions: Sequence[ModelVersion], run: Run | None) -> dict[tuple[int, int], tuple[int, int]]:
    """By version and dataset, the part and the length of the run that the newest scoring saw."""
    rows = Scoring.objects.filter(version__in=versions)
    if run is not None:
        rows = rows.filter(dataset__run=run)
    newest = rows.order_by().values("version", "dataset").annotate(newest=Max("id")).values("newest")
    columns = Scoring.objects.filter(pk__in=newest).values_list("version", "dataset", "newest_part", "last")
    return {(version, dataset): (part, last) for version, dataset, part, last in columns}


def start_jobs(
    waiting: Sequence[Unscored], *, actor: User | None = None, trigger: Trigger = Trigger.SCHEDULE
) -> list[Job]:
    """A job for each, the first MOST_AT_ONCE; where one waits or runs already, that one stays. Returns all of them.

    Permission is the caller's.
    """
    started = []
    for each in list(_not_hopeless(waiting) if trigger == Trigger.SCHEDULE else waiting)[:MOST_AT_ONCE]:
        arguments = {
            "system": each.version.system.code,
            "model": each.version.number,
            "run": each.dataset.run.number,
            "dataset": each.dataset.name,
        }
        started.append(jobs.start(KIND, key=each.key, arguments=arguments, actor=actor, trigger=trigger))
    return started


def _not_hopeless(waiting: Sequence[Unscored]) -> Iterator[Unscored]:
    """Without those that wait or are being scored, and those that failed lately, after their last histograms came."""
    lately = timezone.now() - TRY_AGAIN_AFTER
    live = set(Job.objects.filter(kind=KIND, state__in=LIVE).values_list("key", flat=True))
    failed = dict(
        Job.objects.filter(kind=KIND, state__in=[JobState.FAILED, JobState.LOST], queued_at__gt=lately)
        .order_by("id")
        .values_list("key", "queued_at")
    )
    came = _last_came([each.dataset.pk for each in waiting if each.key in failed])
    for each in waiting:
        if each.key in live or (each.key in failed and came.get(each.dataset.pk, lately) <= failed[each.key]):
            continue
        yield each


def _last_came(datasets: Sequence[int]) -> dict[int, datetime]:
    rows = Part.objects.filter(dataset__in=datasets).order_by().values_list("dataset")
    return dict(rows.annotate(last=Max("at")))
