"""A training runs in a process of its own, which is ended when it holds too much memory or takes too long."""

from __future__ import annotations

import os
from typing import Any

import pytest

from certifier.accounts.models import System
from certifier.ops.jobs import JobHandle
from certifier.ops.models import Job
from certifier.precert.models import ModelVersion
from certifier.training import services
from certifier.training.errors import NeedsMoreMemory, TakesTooLong, TrainingDied
from certifier.training.models import Outcome, Training
from certifier.training.own_process import held_mb
from certifier.training.tasks import train
from tests import cast
from tests.ops.worker_process import environment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def this_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes are of the installation under test."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def job() -> Job:
    return services.ask(actor=None, system=cast.make_system("LAR"))


def test_one_that_needs_too_much_memory_is_ended(job: Job, settings: Any) -> None:
    settings.TRAINING_MEMORY_MB = 20
    with pytest.raises(NeedsMoreMemory, match=r"needs more than 20 MB .* Raise TRAINING_MEMORY_MB"):
        train(JobHandle(job), system="LAR")
    row = Training.objects.get()
    assert (row.outcome, row.job) == (Outcome.FAILED, job)
    assert "needs more than 20 MB" in row.words
    assert not ModelVersion.objects.exists()


def test_one_that_takes_too_long_is_ended(job: Job, settings: Any) -> None:
    settings.TRAINING_TIME_LIMIT_S = 0
    with pytest.raises(TakesTooLong, match="Raise TRAINING_TIME_LIMIT_S"):
        train(JobHandle(job), system="LAR")
    assert "takes longer than 0 s" in Training.objects.get().words


def test_what_ends_by_itself_is_told(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_RECIPE", "no JSON")
    with pytest.raises(TrainingDied, match="ended with status 1 before it was done"):
        train(JobHandle(job), system="LAR")
    assert Training.objects.get().outcome == Outcome.FAILED


def test_what_failed_there_fails_the_job_with_the_same_words(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from certifier.training.errors import TrainingFailed

    monkeypatch.setenv("TRAINING_RECIPE", '{"LAR": {"clasifier": "none"}}')
    with pytest.raises(TrainingFailed, match="unknown settings of a system model: clasifier"):
        train(JobHandle(job), system="LAR")
    assert Training.objects.count() == 1


def test_too_few_labels_are_no_failure(job: Job) -> None:
    done = train(JobHandle(job), system="LAR")
    assert (done["outcome"], done["model"]) == ("too-few", None)
    assert done["words"].startswith("Nothing to learn from: no run of LAR has histograms and a label.")
    # The message came twice, or the worker died after the end: it is not done again.
    assert train(JobHandle(job), system="LAR") == done
    assert Training.objects.count() == 1


def test_memory_is_what_the_process_holds_now(systems: dict[str, System]) -> None:
    assert 20 < held_mb(os.getpid()) < 100_000
    assert held_mb(2**22 + 1) == 0.0
