"""Reads of this room that join: a run's facts for its page, its neighbours, the columns of its luminosity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from certifier.lumi import LARGEST_RUN, LumiSet

from .errors import RunNotFound
from .filters import RunFilter
from .models import Change, Dataset, Lumisection, ReferenceRun, Run
from .profile import COLUMNS, Profile, profile_of


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run. Luminosities in inverse nanobarn; None where nothing is known."""

    run: Run
    profile: Profile
    delivered_inv_nb: float | None
    recorded_inv_nb: float | None
    duration_s: float | None
    mean_pileup: float | None
    flags: dict[str, LumiSet]
    datasets: list[Dataset]
    reference_run: int | None
    previous: int | None
    next: int | None

    @property
    def efficiency(self) -> float | None:
        """Recorded by delivered."""
        if not self.delivered_inv_nb or self.recorded_inv_nb is None:
            return None
        return self.recorded_inv_nb / self.delivered_inv_nb


def find_run(number: int) -> Run:
    """The run of this number. Raises RunNotFound."""
    run = Run.objects.filter(number=number).first() if 0 < number <= LARGEST_RUN else None
    if run is None:
        raise RunNotFound(number)
    return run


def list_runs(parameters: Mapping[str, Any]) -> RunFilter:
    """The runs list with its filters: `.qs` are the runs, newest first, with the profile's totals; `.form` for a page.

    Parameters that make no sense are errors of the form, and the list is then empty.
    """
    return RunFilter(parameters, Run.objects.order_by("-number").select_related("profile").defer("profile__columns"))


def neighbours(run: Run) -> tuple[int | None, int | None]:
    """The numbers of the runs before and after it."""
    numbers = Run.objects.values_list("number", flat=True)
    before = numbers.filter(number__lt=run.number).order_by("-number").first()
    after = numbers.filter(number__gt=run.number).order_by("number").first()
    return before, after


def flags_of(run: Run) -> dict[str, LumiSet]:
    """Where each condition held, by name."""
    return dict(run.flags.order_by("name").values_list("name", "lumisections"))


def reference_run(number: int) -> int | None:
    """The run that this one is compared with now, which may be unknown here."""
    references = ReferenceRun.objects.filter(run_number=number).order_by("-position")
    return references.values_list("reference_number", flat=True).first()


def run_facts(run: Run) -> RunFacts:
    """Everything of this room that the run page shows, in six queries."""
    profile = profile_of(run)
    total_pileup, with_pileup = profile.sum("pileup", LumiSet.whole(profile.length))
    previous, following = neighbours(run)
    return RunFacts(
        run=run,
        profile=profile,
        delivered_inv_nb=profile.total("delivered_inv_nb"),
        recorded_inv_nb=profile.total("recorded_inv_nb"),
        duration_s=profile.total("duration_s"),
        mean_pileup=total_pileup / with_pileup if with_pileup else None,
        flags=flags_of(run),
        datasets=list(run.datasets.order_by("name")),
        reference_run=reference_run(run.number),
        previous=previous,
        next=following,
    )


def strip_columns(run: Run, profile: Profile | None = None) -> dict[str, list[float | None]]:
    """The columns as lists of the run's full length, None where a value is unknown: what the strip and Plotly draw."""
    profile = profile_of(run) if profile is None else profile
    missing: list[float | None] = [None] * max(0, run.last_lumisection - profile.length)
    return {name: as_list(profile, name) + missing for name in COLUMNS}


def as_list(profile: Profile, column: str) -> list[float | None]:
    """A column as Python numbers, None where unknown."""
    # NaN is the one number that differs from itself; this is much quicker than asking numpy for each value.
    return [value if value == value else None for value in profile[column].tolist()]  # noqa: PLR0124


def lumisection_times(run: Run) -> list[Any] | None:
    """When each lumisection began, None where unknown; None altogether when no time is known."""
    times = Lumisection.objects.filter(run=run, started_at__isnull=False).values_list("number", "started_at")
    known = dict(times)
    if not known:
        return None
    last = Lumisection.objects.filter(run=run).order_by("-number").values_list("number", flat=True).first() or 0
    return [known.get(number) for number in range(1, last + 1)]


def changes_after(sequence: int, limit: int) -> QuerySet[Change]:
    """The next changes of the feed, in order."""
    return Change.objects.filter(sequence__gt=sequence).order_by("sequence")[:limit]
