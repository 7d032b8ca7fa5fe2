"""Acknowledging a failure and starting work again: coordinators do it, others are refused."""

from __future__ import annotations

import pytest

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.errors import Conflict
from certifier.audit.models import AuditEvent
from certifier.ops import services
from certifier.ops.models import Job, JobState
from tests.ops import jobs_for_tests  # noqa: F401  # registers the kinds

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed() -> Job:
    return Job.objects.create(
        kind="tests.count", key="count", arguments={"upto": 3}, state=JobState.FAILED, error="no", message="no"
    )


def test_a_coordinator_acknowledges_a_failure_once(chi: User, failed: Job) -> None:
    first = services.acknowledge_job(actor=chi, job=failed).acknowledged_at
    assert first is not None
    assert services.acknowledge_job(actor=chi, job=failed).acknowledged_at == first
    assert AuditEvent.objects.filter(code="ops.acknowledge_job", actor=chi).count() == 1


def test_a_coordinator_starts_it_again_as_a_new_job(chi: User, failed: Job) -> None:
    again = services.start_job_again(actor=chi, job=failed)
    assert again.pk != failed.pk
    assert (again.kind, again.arguments, again.state, again.requested_by) == (
        failed.kind,
        failed.arguments,
        JobState.QUEUED,
        chi,
    )
    failed.refresh_from_db()
    assert failed.state == JobState.FAILED
    assert failed.acknowledged_at is not None
    assert AuditEvent.objects.get(code="ops.start_job_again").data["was"] == failed.pk


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_what_is_not_ended_is_neither_started_again_nor_acknowledged(chi: User, failed: Job, state: str) -> None:
    Job.objects.filter(pk=failed.pk).update(state=state)
    failed.refresh_from_db()
    with pytest.raises(Conflict, match="wait for its end"):
        services.start_job_again(actor=chi, job=failed)
    with pytest.raises(Conflict, match="only a failure can be acknowledged"):
        services.acknowledge_job(actor=chi, job=failed)


@pytest.mark.parametrize("person", ["ada", "ben", "dee"])
def test_others_are_refused(person: str, request: pytest.FixtureRequest, failed: Job) -> None:
    actor = request.getfixturevalue(person)
    for service in (services.start_job_again, services.acknowledge_job):
        with pytest.raises(NotAllowed, match="needs the role coordinator"):
            service(actor=actor, job=failed)
    failed.refresh_from_db()
    assert failed.acknowledged_at is None
    assert Job.objects.count() == 1
