"""Several workers that score the same dataset in the same moment: one scoring, and all of them get it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from certifier.precert.models import Finding, Scoring
from certifier.precert.scoring import score_dataset
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
