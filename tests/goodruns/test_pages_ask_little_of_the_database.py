"""Twelve queries at most, however many runs there are and whatever is asked of them.

Also where a machine's word counts, where a tag, conditions and a part of the runs are chosen, and where another list
has runs beside these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.goodruns import formats, services
from certifier.goodruns.models import GoodRunList
from certifier.goodruns.summaries import refresh_summaries
from certifier.precert import services as precert
from certifier.precert.models import Mode
from certifier.runs import services as runs
from tests.goodruns import world
from tests.goodruns.world import REQUIRED
from tests.review.queue_world import F, score, take
from tests.watch.world import promising

pytestmark = pytest.mark.django_db
MOST = 12
Page = Callable[[User | None], Client]
PLAIN = f"/good-runs/build/?require={REQUIRED}"
IN_FULL = f"{PLAIN}&flag=stable_beams&tag=frozen&runs=358031-358040&ignore=LAR_TOLERABLE&against="


@pytest.fixture
def lists(chi: User) -> dict[str, GoodRunList]:
    """Runs that LAR has signed, or its machine stands for, or nobody; lists before and after some defects."""
    world.make_defects()
    lar = System.objects.get(code="LAR")
    version = promising(lar, 1)
    precert.set_mode(actor=chi, system=lar, mode=Mode.AUTO, reason="The bound is kept since week 8.")
    for number in range(358031, 358045):
        world.make_run(number, 10, recorded=[1000.0] * 10)
        runs.put_flags(actor=None, run=number, flags={"stable_beams": "1-9", "detector_ready": "2-10"})
        world.sign(number, *(("PIXEL", "LAR") if number % 3 else ("PIXEL",)))
        if number % 2:
            score(version, take(number, 10), F("5", "bad"))
    first = services.build_list(actor=None, name="first", require=[REQUIRED])
    for number in range(358031, 358045):
        world.record(number, "LAR_HVTRIP", "3-4", recoverable=bool(number % 2))
        world.record(number, "PIXEL_STANDBY", "4-6")
    defects.create_tag(actor=None, name="frozen")
    second = services.build_list(actor=None, name="second", require=[REQUIRED])
    content = b'{"358031": [[2, 7]], "358043": [[1, 9]], "99": [[1, 4]]}'
    file = formats.read(content)
    return {
        "first": first,
        "second": second,
        "imported": services.import_list(actor=None, name="golden", file=file, source="golden.json"),
    }


@pytest.fixture
def counted(page: Page, chi: User, django_assert_max_num_queries: Any) -> Callable[[str], None]:
    def count(address: str) -> None:
        client = page(chi)
        client.get(address)  # what only grows (definitions, tags, acts on models) is read once per process
        with django_assert_max_num_queries(MOST):
            assert client.get(address).status_code == 200

    return count


@pytest.mark.parametrize("question", [PLAIN, f"{PLAIN}&stage=no", IN_FULL], ids=["plain", "unsigned", "in full"])
def test_the_builder(question: str, lists: dict[str, GoodRunList], counted: Callable[[str], None]) -> None:
    counted(f"{question}{lists['imported'].pk}" if question == IN_FULL else question)


@pytest.mark.parametrize("name", ["first", "imported"])
@pytest.mark.parametrize("query", ["", "?flag=stable_beams"])
@pytest.mark.parametrize("noted", ["never", "then", "before it changed"])
def test_a_list(
    name: str, query: str, noted: str, lists: dict[str, GoodRunList], counted: Callable[[str], None]
) -> None:
    if noted != "never":
        refresh_summaries()
    if noted == "before it changed":
        runs.put_lumisections(actor=None, run=358031, columns={"recorded_inv_nb": [500.0] * 10})
    counted(f"/good-runs/{lists[name].pk}/{query}")


@pytest.mark.parametrize("second", ["second", "imported"])
@pytest.mark.parametrize("asked", ["", "?runs=358031-358040"])
def test_the_difference_of_two_lists(
    second: str, asked: str, lists: dict[str, GoodRunList], counted: Callable[[str], None]
) -> None:
    counted(f"/good-runs/{lists['first'].pk}/diff/{lists[second].pk}/{asked}")
