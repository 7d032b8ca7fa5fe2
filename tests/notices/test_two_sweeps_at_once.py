"""Several sweeps in the same moment tell everybody once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.db.models import Sum

from certifier.notices import services
from certifier.notices.models import Delivery, Event, Notice
from certifier.runs.models import Change
from tests import cast
from tests.notices import world

SWEEPS = 4


@pytest.mark.django_db(transaction=True)
def test_they_tell_once(settings: pytest.FixtureRequest) -> None:
    lar = cast.make_system("LAR")
    people = [cast.make_expert(name, lar) for name in ("ada", "eve", "fay")]
    chi = cast.make_user("chi", "coordinator")
    world.define("https://chat.example.org/hook")
    for number in range(6):
        world.new_findings(lar, 350479 + number, 2)
        world.failed_job(key=f"work {number}")
    together = Barrier(SWEEPS)

    def sweep(_: int) -> int:
        try:
            together.wait()
            return services.find()["events"]
        finally:
            connection.close()

    with ThreadPoolExecutor(SWEEPS) as pool:
        told = list(pool.map(sweep, range(SWEEPS)))
    assert sum(told) == Event.objects.count() == 12
    for person in people:
        assert world.titles(person) == ["12 new findings of LAR"]
    assert world.titles(chi) == ["6 jobs tests.fail failed"]
    assert Notice.objects.filter(person=chi).aggregate(sum=Sum("count"))["sum"] == 6
    assert Delivery.objects.filter(webhook__isnull=False).count() == 12
    assert Change.objects.filter(kind="review.items").count() == 6
