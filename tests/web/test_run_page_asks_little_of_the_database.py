"""Twelve queries at most, whatever the run holds: the page must stay quick where the database is another machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.review.checklists import write_checklist
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Item
from certifier.runs import services as runs
from certifier.runs.models import Run
from tests.precert import world
from tests.web import experiment
from tests.web.experiment import BEFORE, RUN

MOST = 12


@pytest.mark.parametrize("query", ["", "?tag=pro22-01", "?virtual=true&absent=true&system=LAR"])
def test_it_asks_at_most_twelve_times(
    query: str, systems: object, ada: User, page: Callable[[User | None], Client], django_assert_max_num_queries: Any
) -> None:
    experiment.define()
    experiment.take(BEFORE)
    run = experiment.take()
    for start in range(1, 60):
        experiment.record("LAR_NOISEBURST", f"{start} {start + 30}", comment=f"burst {start}")
    experiment.record("LAR_DATACORRUPT", "11-15")
    experiment.sign("LAR", "PIXEL")
    experiment.summarise(run)
    runs.put_dataset(actor=None, run=RUN, name="physics_Main")
    runs.import_reference_runs(actor=None, references=[(RUN, BEFORE)])
    defects.create_tag(actor=None, name="pro22-01")
    client = page(ada)
    client.get(f"/runs/{RUN}/{query}")  # definitions are read once per process
    with django_assert_max_num_queries(MOST):
        assert client.get(f"/runs/{RUN}/{query}").status_code == 200


def test_it_asks_no_more_where_models_have_spoken_and_experts_decided(
    lar: System, pixel: System, ada: User, page: Callable[[User | None], Client], django_assert_max_num_queries: Any
) -> None:
    experiment.define()
    for system in (lar, pixel):
        champion = world.champion(system)
    world.score(champion, world.take(RUN, system=pixel, noise="5-9 20-30"))
    find_items()
    item = Item.objects.filter(finding__isnull=False).order_by("id")[0]
    decide(actor=None, item=item, verdict="confirm", defect="PIXEL_STANDBY", comment="Seen in the elog")
    experiment.sign("LAR")
    write_checklist(actor=None, system=lar, stage="bulk", points=["Noise bursts"])
    experiment.summarise(Run.objects.get(number=RUN))
    client = page(ada)
    client.get(f"/runs/{RUN}/")
    with django_assert_max_num_queries(MOST):
        shown = client.get(f"/runs/{RUN}/").content.decode()
    assert "Machine findings" in shown
    assert "decided:PIXEL" in shown


def test_it_asks_less_for_the_table_alone(
    systems: object, ada: User, page: Callable[[User | None], Client], django_assert_max_num_queries: Any
) -> None:
    experiment.define()
    experiment.take()
    client = page(ada)
    headers = {"HX-Request": "true", "HX-Target": "defects"}
    client.get(f"/runs/{RUN}/", headers=headers)
    with django_assert_max_num_queries(6):
        client.get(f"/runs/{RUN}/", headers=headers)
