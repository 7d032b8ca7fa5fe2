"""Several workers that score the same dataset in the same moment: one scoring, and all of them get it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from certifier.ops.models import Job
from certifier.precert.models import Finding, Scoring
from certifier.precert.scoring import score_dataset
from certifier.precert.tasks import find_unscored
from certifier.runs.models import Change
from tests import cast
from tests.precert import world

WORKERS = 4


@pytest.mark.django_db(transaction=True)
def test_it_is_written_once() -> None:
    lar = cast.make_system("LAR")
    version, dataset = world.champion(lar), world.take(system=lar, noise="5-9", corrupt="20-24")
    together = Barrier(WORKERS)

    def work(_: int) -> tuple[int, bool]:
        try:
            together.wait()
            scoring = score_dataset(version, dataset)
        finally:
            connection.close()
        return scoring.pk, scoring.already_there

    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(work, range(WORKERS)))
    scoring = Scoring.objects.get()
    assert {pk for pk, _ in outcomes} == {scoring.pk}
    assert sorted(there for _, there in outcomes) == [False, True, True, True]
    assert Finding.objects.count() == scoring.findings.count() > 0
    assert Change.objects.filter(kind="precert.scoring").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_schedules_that_run_at_once_each_run_gets_one_job() -> None:
    lar = cast.make_system("LAR")
    world.champion(lar)
    for number in (world.BEFORE, world.RUN):
        world.take(number, 5, system=lar)
    together = Barrier(2)

    def one(_: int) -> None:
        try:
            together.wait()
            find_unscored()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
    assert Job.objects.count() == 2
    assert Job.objects.values("key").distinct().count() == 2
