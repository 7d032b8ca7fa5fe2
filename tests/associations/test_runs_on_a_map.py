"""Runs of a system lie on a map, alike ones together; its colours are what people said, and it says when it is old."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.associations.computing import NothingToCompare
from certifier.associations.map_page import mapped_runs
from certifier.associations.run_map import map_of_runs
from certifier.associations.selectors import RUN_MAP
from certifier.associations.services import ask_for_map
from certifier.audit.models import AuditEvent
from certifier.defects import services as defects
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Source
from certifier.monitoring import services as monitoring
from certifier.monitoring.selectors import find_element
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from certifier.review import services as review
from certifier.runs import services as runs
from mlcore.histograms import Axis
from tests import cast
from tests.precert import world

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
PATH = "/associations/map/LAR/"
FIRST, COUNT, LENGTH = world.BEFORE, 8, 40
# A spike in the times of cells in all lumisections of these.
FAULTY = (FIRST + 2, FIRST + 5, FIRST + 6)
SIGNED = FIRST + 1
LATE = FIRST + COUNT


def say(share: float, words: str) -> None:
    assert 0 <= share <= 1


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)


@pytest.fixture
def season(lar: System) -> System:
    """Eight runs; three with the same fault, which is recorded in two of them; one more is signed."""
    defects.define_defect(actor=None, name=world.NOISE, system=lar, intolerable=True)
    defects.define_defect(actor=None, name=world.CORRUPT, system=lar)
    for number in range(FIRST, FIRST + COUNT):
        fault = {"noise": f"1-{LENGTH}"} if number in FAULTY else {}
        world.take(number, LENGTH, system=lar, strength=0.2, **fault)
    said = [NewEntry(run=number, defect=world.NOISE, lumisections=f"1-{LENGTH}") for number in FAULTY[:2]]
    said.append(NewEntry(run=SIGNED, defect=world.CORRUPT, lumisections="3-5"))
    defects.record_entries(actor=None, entries=said, source=Source.PAGE)
    review.sign_off(actor=None, run=world.run_named(SIGNED), system=lar, stage="express")
    return lar


def drawn(system: System, actor: User) -> Job:
    job = ask_for_map(actor=actor, system=system)
    jobs.perform(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    return job


def plot_of(text: str) -> list[dict[str, Any]]:
    found = re.search(r'<script id="map-plot" type="application/json">(.*?)</script>', text)
    assert found
    data: list[dict[str, Any]] = json.loads(found[1])["data"]
    return data


def test_runs_with_the_same_fault_are_nearest_to_each_other(season: System) -> None:
    found = map_of_runs("LAR", say)
    assert (found["runs"], found["elements"], found["empty"]) == (COUNT, 2, 0)
    assert [point["run"] for point in found["points"]] == list(range(FIRST, FIRST + COUNT))
    for point in found["points"]:
        assert len(point["near"]) == 3
        assert point["run"] not in point["near"]
        if point["run"] in FAULTY:
            assert set(point["near"][:2]) == set(FAULTY) - {point["run"]}
    element, share = found["moved_by"][0][0]
    assert element == world.ELEMENTS[0]
    assert share > 0.8
    assert found["explained"][0] > found["explained"][1]


def test_people_say_what_colour_a_run_has_and_their_newest_word_counts(season: System, ada: User) -> None:
    points = map_of_runs("LAR", say)["points"]
    said = {run.number: (run.says, [(name, str(where)) for name, where, _ in run.defects])
            for run in mapped_runs(season, points)}  # fmt: skip
    assert said[FAULTY[0]] == ("bad", [(world.NOISE, f"1-{LENGTH}")])
    assert said[FAULTY[2]] == ("unseen", [])
    assert said[SIGNED] == ("good", [(world.CORRUPT, "3-5")])
    assert said[FIRST] == ("unseen", [])
    entry = NewEntry(run=SIGNED, defect=world.NOISE, lumisections="7")
    defects.record_entries(actor=ada, entries=[entry], source=Source.PAGE)
    late = next(run for run in mapped_runs(season, points) if run.number == SIGNED)
    assert late.says == "bad"
    assert [name for name, _, _ in late.defects] == [world.NOISE, world.CORRUPT]


def test_what_a_machine_says_shows_in_no_colour(season: System, page: Page, ben: User) -> None:
    drawn(season, ben)
    before = plot_of(page(ben).get(PATH).content.decode())
    model = world.champion(season)
    scoring = world.score(model, world.run_named(FAULTY[2]).datasets.select_related("run").get())
    assert scoring.bad
    assert plot_of(page(ben).get(PATH).content.decode()) == before


def test_the_page_asks_a_worker_and_leads_to_each_run(page: Page, ben: User, season: System) -> None:
    client = page(ben)
    asked = client.get(PATH).content.decode()
    assert "Not drawn yet" in asked
    assert "8 runs have histograms of LAR" in asked
    assert client.post(PATH).status_code == 302
    client.post(PATH)
    job = Job.objects.get(kind=RUN_MAP)
    assert job.requested_by == ben
    assert AuditEvent.objects.filter(code="ops.start_job", actor=ben).count() == 1
    assert f"Job {job.pk}" in client.get(PATH).content.decode()
    jobs.perform(job.pk)
    found = client.get(f"{PATH}?run={FAULTY[0]}").content.decode()
    assert "Draw anew" in found
    assert "out of date" not in found
    opened = {address for trace in plot_of(found) for address in trace.get("customdata", ())}
    assert opened == {f"/runs/{number}/?system=LAR" for number in range(FIRST, FIRST + COUNT)}
    assert all(client.get(address).status_code == 200 for address in sorted(opened)[:2])
    assert f'aria-current="true">\n            <th scope="row" class="num"><a href="/runs/{FAULTY[0]}/' in found
    assert f"<b>run {FAULTY[0]}</b>" in json.dumps(plot_of(found))
    assert plot_of(found)[-1]["name"] == f"run {FAULTY[0]}"
    assert "lies beside" in found


def test_it_says_that_it_is_out_of_date_and_is_drawn_anew(page: Page, ben: User, season: System) -> None:
    client = page(ben)
    drawn(season, ben)
    world.take(LATE, LENGTH, system=season)
    old = client.get(f"{PATH}?run={LATE}").content.decode()
    assert "Histograms of 1 run have come since" in old
    assert f"Run {LATE} has come since it was drawn" in old
    assert f"/runs/{LATE}/?system" not in old
    drawn(season, ben)
    new = client.get(PATH).content.decode()
    assert "out of date" not in new
    assert f"/runs/{LATE}/?system=LAR" in new
    world.send(FIRST, LENGTH, system=season, noise="1-9")
    assert "Histograms of 1 run have come since" in client.get(PATH).content.decode()
    assert f"Run 1 is none of the latest {COUNT + 1} runs" in client.get(f"{PATH}?run=1").content.decode()


def test_what_makes_no_map_says_what_is_missing(page: Page, ben: User, lar: System, pixel: System) -> None:
    client = page(ben)
    assert "This system has no histogram yet." in client.get(PATH).content.decode()
    assert "<button" not in client.get(PATH).content.decode().partition("<main")[2].partition("</main")[0]
    world.take(FIRST, LENGTH, system=lar)
    few = client.get(PATH).content.decode()
    assert "1 run has histograms of LAR; a map needs at least 3." in few
    assert "Draw now" not in few
    with pytest.raises(NothingToCompare, match="1 run has histograms of LAR"):
        map_of_runs("LAR", say)
    job = ask_for_map(actor=ben, system=lar)
    jobs.perform(job.pk)
    failed = client.get(PATH).content.decode()
    assert "The last drawing came to no end: 1 run has histograms of LAR" in failed
    assert client.get("/associations/map/NOWHERE/").status_code == 404


def test_a_run_in_which_nothing_was_filled_has_no_place(season: System) -> None:
    runs.put_run(actor=None, run=LATE, facts={"lumisections": LENGTH})
    runs.put_dataset(actor=None, run=LATE, name=world.EXPRESS, stage="express")
    empty = [replace(block, counts=0 * block.counts, flow=None) for block in world.histograms(LATE, LENGTH)]
    monitoring.ingest(actor=None, run=LATE, dataset=world.EXPRESS, blocks=empty)
    found = map_of_runs("LAR", say)
    assert (found["runs"], found["empty"], found["last_run"]) == (COUNT, 1, LATE - 1)


def test_pages_of_histograms_lead_there(page: Page, ben: User, season: System, pixel: System) -> None:
    (block, _) = world.histograms(FIRST, LENGTH)
    rate = replace(block, element="Pixel/rate", axes=(Axis.regular("rate", 1, 0.0, 1.0),), flow=None,
                   counts=block.totals[:, None])  # fmt: skip
    monitoring.ingest(actor=None, run=FIRST, dataset=world.EXPRESS, blocks=[rate])
    monitoring.change_element(actor=None, element=find_element("Pixel/rate"), system="PIXEL")
    client = page(ben)
    # A quantity has no shape, so there is nothing to map.
    assert "/associations/map/PIXEL/" not in client.get("/histograms/").content.decode()
    assert "This system has no histogram yet." in client.get("/associations/map/PIXEL/").content.decode()
    assert f'href="{PATH}"' in client.get("/histograms/").content.decode()
    # Of a run with elements of two systems, the one that is looked at.
    for number, path in ((FIRST, "?system=LAR"), (FIRST + 1, ""), (FIRST, f"{world.ELEMENTS[0]}/")):
        assert f'href="{PATH}?run={number}"' in client.get(f"/histograms/runs/{number}/{path}").content.decode()


def test_it_asks_the_database_at_most_twelve_times(
    page: Page, ben: User, season: System, django_assert_max_num_queries: Any
) -> None:
    client = page(ben)
    drawn(season, ben)
    client.get(PATH)
    with django_assert_max_num_queries(12):
        assert client.get(f"{PATH}?run={FIRST}").status_code == 200


def test_who_may_only_read_sees_it_and_cannot_draw(page: Page, season: System, ben: User, dee: User, ada: User) -> None:
    drawn(season, ada)
    vic = cast.make_user("vic", "viewer")
    seen = page(vic).get(PATH).content.decode()
    assert "Which lie together" in seen
    assert "Drawing a map of runs needs the role shifter." in seen
    assert "Draw anew" not in seen
    assert page(vic).post(PATH).status_code == 403
    assert page(dee).get(PATH).status_code == 403
    assert page(dee).post(PATH).status_code == 403
    for refused in (vic, dee):
        with pytest.raises(NotAllowed):
            ask_for_map(actor=refused, system=season)
    assert Job.objects.filter(kind=RUN_MAP).count() == 1
