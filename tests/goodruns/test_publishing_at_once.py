"""Several people at once: one list per name, and a list that is built while others write is what one moment said."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Timer

import pytest
from django.db import connection, transaction

from certifier.defects.resolution import states
from certifier.goodruns import building, formats, services
from certifier.goodruns.contents import content_of
from certifier.goodruns.facts import Facts
from certifier.goodruns.models import GoodRunList, GoodRunListRun
from certifier.lumi import LumiSet
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count: int, act: Callable[[int], str]) -> list[str]:
    together = Barrier(count)

    def one(place: int) -> str:
        try:
            together.wait()
            return act(place)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_it_publishes_one_list_per_name() -> None:
    def publish(place: int) -> str:
        file = formats.read(f'{{"{place + 1}": [[1, 5]]}}'.encode())
        try:
            services.import_list(actor=None, name="golden", file=file, source=f"{place}.json")
        except services.ListExists as error:
            return str(error)
        return "published"

    outcomes = at_once(4, publish)
    assert outcomes.count("published") == 1
    assert all("A list called golden" in outcome for outcome in outcomes if outcome != "published")
    assert GoodRunList.objects.count() == GoodRunListRun.objects.count() == 1


def test_it_imports_the_same_file_once() -> None:
    def publish(_: int) -> str:
        file = formats.read(b'{"1": [[1, 5]]}')
        try:
            list_ = services.import_list(actor=None, name="golden", file=file, source="golden.json")
        except services.ListExists:
            return "in the same moment"
        return "there" if list_.already_there else "published"

    outcomes = at_once(4, publish)
    assert outcomes.count("published") == 1
    assert GoodRunList.objects.count() == 1


def test_it_builds_what_the_entries_up_to_one_of_them_say() -> None:
    world.make_defects()
    world.make_run(1, 200)
    stop = Event()

    def write() -> None:
        try:
            for number in range(1, 201):
                if stop.is_set():
                    break
                world.record(1, "LAR_HVTRIP", str(number))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        built = [
            services.build_list(actor=None, name=f"list {place}", require=[REQUIRED], signed_off=False)
            for place in range(5)
        ]
        stop.set()
        for writer in writers:
            writer.result()
    for list_ in built:
        ((_, said),) = list(states(runs=None, up_to=list_.entry_id)) or [(0, {})]
        bad = LumiSet.from_bits(sum(state.present for state in said.values()))
        good = content_of(list_).get(1, LumiSet())
        assert good == LumiSet.whole(200) - bad


@pytest.mark.postgres
def test_a_preview_waits_for_nobody_who_records_and_publishing_does() -> None:
    world.make_defects()
    world.make_run(1, 10)
    world.sign(1, "PIXEL", "LAR")
    written, go_on = Event(), Event()

    def act(place: int) -> str:
        if place == 0:
            with transaction.atomic():
                world.record(1, "LAR_HVTRIP", "3-5")
                written.set()
                assert go_on.wait(30)
            return ""
        assert written.wait(30)
        facts = Facts()
        seen = building.preview(building.ask(require=[REQUIRED], facts=facts), facts)
        assert not go_on.is_set()
        Timer(0.3, go_on.set).start()
        published = services.build_list(actor=None, name="a list", require=[REQUIRED])
        return f"{seen.content[1]}; {content_of(published)[1]}"

    assert at_once(2, act)[1] == "1-10; 1-2 6-10"
