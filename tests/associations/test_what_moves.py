"""A fault that was planted in one histogram moves its features, and is found from the defect and from the element."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.associations import computing
from certifier.associations.computing import NothingToCompare
from certifier.associations.selectors import KIND
from certifier.associations.services import ask
from certifier.associations.tasks import compare
from certifier.defects import services as defects
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Source
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from tests.precert import world

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
TIME, ENERGY = world.ELEMENTS


def say(share: float, words: str) -> None:
    assert 0 <= share <= 1


@pytest.fixture
def season(lar: System) -> System:
    """Twelve runs; LAR_NOISEBURST in six of them, a spike in the times of cells."""
    for name in (world.NOISE, world.CORRUPT):
        defects.define_defect(actor=None, name=name, system=lar)
    defects.define_defect(actor=None, name="LAR_ANY", system=lar, expression=f"{world.NOISE} {world.CORRUPT}")
    entries = []
    for place in range(12):
        number, first = world.BEFORE + place, 3 + 2 * place
        noise = f"{first}-{first + 6}" if place % 2 else ""
        world.take(number, system=lar, noise=noise, strength=0.15)
        if noise:
            entries.append(NewEntry(run=number, defect=world.NOISE, lumisections=noise))
    defects.record_entries(actor=None, entries=entries, source=Source.PAGE)
    return lar


@pytest.mark.parametrize("name", [world.NOISE, world.NOISE.lower(), "LAR_ANY"])
def test_from_the_defect_the_histogram_with_the_fault_is_found(season: System, name: str) -> None:
    result = computing.of_defect(name, say)
    first = result["lines"][0]
    assert first["element"] == TIME
    assert first["p_family"] < 0.05
    assert first["shift"] > 0.5
    assert (result["runs"], result["lumisections"], result["affected"]) == (12, 480, 42)
    assert all(line["p_family"] > 0.05 for line in result["lines"] if line["element"] == ENERGY)


def test_from_the_element_the_defect_is_found(season: System) -> None:
    result = computing.of_element(TIME, say)
    assert result["lines"][0]["defect"] == world.NOISE
    assert result["lines"][0]["p_family"] < 0.05
    assert result["defects"] == 1


def test_what_cannot_be_compared_says_why(season: System, pixel: System) -> None:
    with pytest.raises(NothingToCompare, match="nowhere, or everywhere"):
        computing.of_defect(world.CORRUPT, say)
    defects.define_defect(actor=None, name="PIXEL_OFF", system=pixel)
    with pytest.raises(NothingToCompare, match="PIXEL has no monitoring element"):
        computing.of_defect("PIXEL_OFF", say)
    with pytest.raises(NothingToCompare, match="no defect “GONE” any more"):
        computing.of_defect("GONE", say)


def test_an_element_without_a_defect_beside_it(lar: System) -> None:
    world.take(system=lar)
    with pytest.raises(NothingToCompare, match="No defect of LAR is present"):
        computing.of_element(TIME, say)


def test_the_page_asks_a_worker_and_shows_what_came(
    page: Page, ben: User, season: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)
    client, path = page(ben), f"/associations/defects/{world.NOISE}/"
    assert "Not compared yet" in client.get(path).content.decode()
    assert client.post(path).status_code == 302
    client.post(path)
    job = Job.objects.get()
    assert (job.kind, job.requested_by) == (KIND, ben)
    assert f"Job {job.pk}" in client.get(path).content.decode()
    result = compare(jobs.JobHandle(job), defect=world.NOISE)
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE, result=result, finished_at=job.queued_at)
    found = client.get(path).content.decode()
    assert TIME in found
    assert "moves" in found
    assert "the surest" in found


def test_a_comparison_that_failed_leaves_the_one_before(
    page: Page, ben: User, season: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)
    ask(actor=ben, element=TIME)
    job = Job.objects.get()
    result = compare(jobs.JobHandle(job), element=TIME)
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE, result=result, finished_at=job.queued_at)
    ask(actor=ben, element=TIME)
    Job.objects.exclude(pk=job.pk).update(state=JobState.FAILED)
    found = page(ben).get(f"/associations/elements/{TIME}/").content.decode()
    assert "came to no end" in found
    assert world.NOISE in found


def test_outsiders_and_what_is_not_there(page: Page, ben: User, dee: User, season: System) -> None:
    for path in (f"/associations/defects/{world.NOISE}/", f"/associations/elements/{TIME}/"):
        assert page(dee).get(path).status_code == 403
        assert page(dee).post(path).status_code == 403
    assert page(ben).get("/associations/defects/NONE/").status_code == 404
    assert page(ben).get("/associations/elements/No/where/").status_code == 404
    assert not Job.objects.exists()
