"""A run is told from its reference by what was planted in it, and from a run like it not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.associations.computing import NothingToCompare
from certifier.associations.samples import compare_runs, good_of
from certifier.associations.selectors import SAMPLES
from certifier.associations.services import ask_for_samples
from certifier.defects import services as defects
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Source
from certifier.lumi import LumiSet
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from certifier.runs import services as runs
from certifier.runs.errors import RunNotFound
from tests.precert import world

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
TIME, ENERGY = world.ELEMENTS
LIKE, OTHER, LENGTH = world.RUN + 1, world.RUN + 2, 120


def say(share: float, words: str) -> None:
    assert 0 <= share <= 1


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)


@pytest.fixture
def three(lar: System) -> System:
    """A run with its reference, which is like it, and another whose times have a spike that nobody has recorded; of the
    reference some lumisections are recorded as bad, and are."""
    defects.define_defect(actor=None, name=world.NOISE, system=lar, intolerable=True)
    for number, faults in ((world.RUN, {}), (LIKE, {"noise": "41-60"}), (OTHER, {"noise": f"1-{LENGTH}"})):
        world.take(number, LENGTH, system=lar, strength=0.02, **faults)
    bad = NewEntry(run=LIKE, defect=world.NOISE, lumisections="41-60")
    defects.record_entries(actor=None, entries=[bad], source=Source.PAGE)
    runs.import_reference_runs(actor=None, references=[(world.RUN, LIKE), (OTHER, LIKE)], source="test")
    return lar


def test_a_run_like_its_reference_cannot_be_told_from_it(three: System) -> None:
    found = compare_runs(world.RUN, LIKE, "", "", say)
    assert found["p_value"] > 0.05
    assert 0.3 < found["auc"] < 0.7
    assert found["differing"] == 0
    assert (found["lumisections"], found["elements"]) == ([120, 100], 2)
    assert found["pileup"] is not None


def test_what_was_planted_is_what_differs(three: System) -> None:
    found = compare_runs(OTHER, LIKE, "LAR", "", say)
    assert found["least_p"] <= found["p_value"] < 0.01
    assert found["auc"] > 0.8
    assert found["lines"][0]["element"] == TIME
    sure = [line for line in found["lines"] if line["p"] < 0.05]
    assert sure
    assert {line["element"] for line in sure} == {TIME}
    assert compare_runs(OTHER, LIKE, "", ENERGY, say)["p_value"] > 0.05


def test_what_is_recorded_as_bad_is_no_reference(three: System) -> None:
    assert good_of(world.run_named(LIKE)) == LumiSet.whole(LENGTH) - LumiSet.parse("41-60")
    assert good_of(world.run_named(OTHER)) == LumiSet.whole(LENGTH)
    everything = NewEntry(run=LIKE, defect=world.NOISE, lumisections=f"1-{LENGTH}")
    defects.record_entries(actor=None, entries=[everything], source=Source.PAGE)
    assert good_of(world.run_named(LIKE)) == LumiSet.whole(LENGTH)


def test_what_cannot_be_compared_says_why(three: System, pixel: System) -> None:
    with pytest.raises(NothingToCompare, match=r"no element of PIXEL in common"):
        compare_runs(world.RUN, LIKE, "PIXEL", "", say)
    with pytest.raises(NothingToCompare, match="no No/where in common"):
        compare_runs(world.RUN, LIKE, "", "No/where", say)
    world.take(world.BEFORE, 20, system=three)
    with pytest.raises(NothingToCompare, match="2 and 10 blocks; at least 4 a side"):
        compare_runs(world.BEFORE, LIKE, "", "", say)
    with pytest.raises(RunNotFound):
        compare_runs(world.RUN, 1, "", "", say)


def test_the_page_asks_a_worker_and_shows_what_came(page: Page, ben: User, three: System) -> None:
    client, path = page(ben), f"/associations/runs/{OTHER}/"
    element = client.get(f"/histograms/runs/{OTHER}/{TIME}/").content.decode()
    assert f"{path}?element=LAr%2FcellTime" in element
    asked = client.get(path).content.decode()
    assert f"Is run {OTHER} like run {LIKE}?" in asked
    assert "Not compared yet" in asked
    assert client.post(path).status_code == 302
    client.post(path)
    job = Job.objects.get(kind=SAMPLES)
    assert job.requested_by == ben
    assert f"Job {job.pk}" in client.get(path).content.decode()
    jobs.perform(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    found = client.get(path).content.decode()
    assert "they differ" in found
    assert TIME in found
    assert "Not compared yet" in client.get(f"{path}?element={TIME}").content.decode()


def test_any_other_run_can_be_chosen_and_nonsense_is_told(page: Page, ben: User, three: System) -> None:
    client, path = page(ben), f"/associations/runs/{OTHER}/"
    assert f"like run {world.RUN}?" in client.get(f"{path}?against={world.RUN}").content.decode()
    assert "is no number of a run" in client.get(f"{path}?against=x").content.decode()
    answer = client.post(f"{path}?against=1")
    assert answer.status_code == 422
    assert "There is no run 1." in answer.content.decode()
    assert "This run has no reference run." in client.get(f"/associations/runs/{LIKE}/").content.decode()
    assert client.get("/associations/runs/1/").status_code == 404
    assert not Job.objects.exists()


def test_outsiders_are_refused(page: Page, dee: User, three: System) -> None:
    assert page(dee).get(f"/associations/runs/{OTHER}/").status_code == 403
    assert page(dee).post(f"/associations/runs/{OTHER}/").status_code == 403
    with pytest.raises(NotAllowed):
        ask_for_samples(actor=dee, run=OTHER, against=LIKE)
    assert not Job.objects.exists()
