"""Datasets of a run, and which run a run is compared with."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.runs import services
from certifier.runs.errors import DatasetRefused, RunNotFound, RunRefused
from certifier.runs.models import Change, Dataset, ReferenceRun, Run
from certifier.runs.selectors import reference_run

pytestmark = pytest.mark.django_db
PROMPT = "/ZeroBias/Run2017B-PromptReco-v1/DQMIO"


@pytest.fixture
def run() -> Run:
    return services.put_run(actor=None, run=297050, facts={}).run


def test_it_creates_and_changes_a_dataset(run: Run, chi: User) -> None:
    created = services.put_dataset(actor=chi, run=297050, name=PROMPT, stage="bulk", facts={"events": 5})
    assert (created.run, created.stage, created.attributes) == (run, "bulk", {"events": 5})
    services.put_dataset(actor=chi, run=297050, name=PROMPT, stage="final", facts={"events": 6})
    assert Dataset.objects.values_list("stage", "attributes").get() == ("final", {"events": 6})
    changes = Change.objects.filter(kind="runs.dataset").order_by("sequence")
    assert [change.data["created"] for change in changes] == [True, False]


def test_it_leaves_an_equal_dataset_without_a_trace(run: Run) -> None:
    services.put_dataset(actor=None, run=297050, name=PROMPT, facts={"events": 5})
    counts = Change.objects.count(), AuditEvent.objects.count()
    services.put_dataset(actor=None, run=297050, name=PROMPT, facts={"events": 5})
    assert (Change.objects.count(), AuditEvent.objects.count()) == counts


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "x" * 201}, "200 are the most"),
        ({"name": 5}, "Send text"),
        ({"name": "a", "stage": "raw"}, "one of express, bulk and final"),
        ({"name": "a", "facts": {"x": float("nan")}}, "what JSON cannot"),
    ],
)
def test_it_refuses_a_bad_dataset(run: Run, given: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetRefused, match=message):
        services.put_dataset(actor=None, run=297050, **given)
    assert not Dataset.objects.exists()


def test_it_refuses_a_dataset_of_no_run_and_of_no_coordinator(run: Run, ben: User) -> None:
    with pytest.raises(RunNotFound):
        services.put_dataset(actor=None, run=1, name="a")
    with pytest.raises(NotAllowed):
        services.put_dataset(actor=ben, run=297050, name="a")


def test_it_compares_a_run_with_its_latest_reference(chi: User) -> None:
    counts = services.import_reference_runs(actor=chi, references=[(5, 1), (5, 2), (6, 1), (5, 1)], source="map.json")
    assert (counts.created, counts.unchanged) == (3, 0)
    assert (reference_run(5), reference_run(6), reference_run(7)) == (2, 1, None)
    again = services.import_reference_runs(actor=chi, references=[(5, 2), (5, 1), (6, 9)], source="map.json")
    assert (again.created, again.unchanged) == (1, 2)
    assert (reference_run(5), reference_run(6)) == (2, 9)
    rows = ReferenceRun.objects.values_list("run_number", "position", "reference_number")
    assert list(rows) == [(5, 1, 1), (5, 2, 2), (6, 1, 1), (6, 2, 9)]
    assert Change.objects.filter(kind="runs.reference_runs").count() == 2


def test_it_refuses_a_reference_that_is_no_run(chi: User, ben: User) -> None:
    with pytest.raises(RunRefused, match="Run 6 → 0"):
        services.import_reference_runs(actor=chi, references=[(5, 1), (6, 0)])
    with pytest.raises(NotAllowed):
        services.import_reference_runs(actor=ben, references=[(5, 1)])
    assert not ReferenceRun.objects.exists()
