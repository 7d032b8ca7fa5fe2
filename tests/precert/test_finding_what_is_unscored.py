"""What is to be scored is a query: nothing is forgotten, nothing is done twice, and what fails waits for somebody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from certifier.accounts.models import System
from certifier.ops.jobs import perform
from certifier.ops.models import Job, JobState
from certifier.precert import services, unscored
from certifier.precert.models import ModelVersion, Scoring
from certifier.precert.tasks import find_unscored
from certifier.runs import services as runs
from tests.precert import world
from tests.precert.world import BEFORE, BULK, RUN

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(lar: System) -> ModelVersion:
    return world.champion(lar)


def waiting() -> list[str]:
    return [str(each) for each in unscored.unscored()]


def work() -> list[str]:
    """Do every job that waits, as a worker would; their states."""
    keys = list(Job.objects.filter(state=JobState.QUEUED).order_by("id").values_list("pk", flat=True))
    for key in keys:
        perform(key)
    return list(Job.objects.filter(pk__in=keys).order_by("id").values_list("state", flat=True))


def test_it_scores_whatever_came_and_then_nothing(lar: System, version: ModelVersion) -> None:
    world.take(BEFORE, system=lar)
    world.take(RUN, system=lar, noise="5-9")
    assert waiting() == [f"LAR model 1 on run {run}, express_express" for run in (RUN, BEFORE)]
    assert find_unscored() == {"waiting": 2, "started": 2}
    # Asked again meanwhile, there is one job each.
    assert find_unscored() == {"waiting": 2, "started": 0}
    jobs = Job.objects.order_by("id")
    assert [(job.queue, job.kind) for job in jobs] == [("score", "precert.score")] * 2
    assert work() == ["done", "done"]
    assert find_unscored() == {"waiting": 0, "started": 0}
    job = Job.objects.get(arguments__run=RUN)
    assert job.result is not None
    assert job.result["bad"] >= 5
    assert sum(job.result[name] for name in ("good", "bad", "unsure", "unscored")) == 40
    assert job.progress == 1.0


def test_later_histograms_a_longer_run_and_another_dataset_are_to_be_scored(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar, only="1-30")
    world.score(version, dataset)
    assert waiting() == []
    world.send(system=lar)
    assert len(waiting()) == 1
    world.score(version, dataset)
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 41})
    assert len(waiting()) == 1
    world.score(version, dataset)
    world.take(system=lar, dataset=BULK, stage="bulk", lumisections=41)
    assert waiting() == [f"LAR model 1 on run {RUN}, {BULK}"]


def test_a_new_champion_and_a_shadow_are_asked_about_everything(lar: System, version: ModelVersion) -> None:
    world.score(version, world.take(system=lar))
    second, third = world.register(lar, another=1), world.register(lar, another=2)
    assert waiting() == []
    services.shadow(actor=None, version=second)
    assert waiting() == [f"LAR model 2 on run {RUN}, express_express"]
    services.promote(actor=None, version=third)
    assert [text[:11] for text in waiting()] == ["LAR model 2", "LAR model 3"]
    services.pause(actor=None, system=lar, reason="x")
    assert [text[:11] for text in waiting()] == ["LAR model 2"]


def test_histograms_of_another_system_ask_for_nothing(lar: System, pixel: System, version: ModelVersion) -> None:
    world.champion(pixel)
    world.take(system=lar)
    assert waiting() == [f"LAR model 1 on run {RUN}, express_express"]


def test_a_job_that_fails_says_why_and_is_not_started_over_and_over(lar: System, version: ModelVersion) -> None:
    world.take(system=lar)
    default_storage.delete(f"{version.folder}/state.json")
    find_unscored()
    assert work() == ["failed"]
    job = Job.objects.get()
    assert job.message.startswith("LAR model 1 cannot be used: state.json cannot be read")
    assert "Traceback" in job.error
    assert find_unscored() == {"waiting": 1, "started": 0}
    assert not Scoring.objects.exists()
    # New histograms are worth another try; so is the passing of time.
    world.send(system=lar, noise="1-3")
    assert find_unscored() == {"waiting": 1, "started": 1}
    assert work() == ["failed"]
    Job.objects.update(queued_at=timezone.now() - unscored.TRY_AGAIN_AFTER - timedelta(minutes=1))
    assert find_unscored() == {"waiting": 1, "started": 1}


def test_it_starts_so_many_at_once_and_the_others_next_time(
    lar: System, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unscored, "MOST_AT_ONCE", 2)
    for run in (BEFORE, RUN, RUN + 1):
        world.take(run, 5, system=lar)
    assert find_unscored() == {"waiting": 3, "started": 2}
    assert find_unscored() == {"waiting": 3, "started": 1}


def test_it_asks_the_database_the_same_few_questions_however_much_there_is(
    lar: System, version: ModelVersion, django_assert_max_num_queries: object
) -> None:
    for run in (BEFORE, RUN, RUN + 1):
        world.take(run, 5, system=lar)
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        assert len(unscored.unscored()) == 3
