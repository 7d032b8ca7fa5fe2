"""Who is told of what when nobody has chosen anything."""

from __future__ import annotations

import pytest

from certifier.accounts import services as accounts
from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.notices.models import Event, Notice
from certifier.ops.models import Job, JobState
from certifier.training.models import Outcome
from tests import cast
from tests.notices import world

pytestmark = pytest.mark.django_db


def test_new_findings_go_to_the_experts_of_the_system(lar: System, ada: User, ben: User, chi: User, pat: User) -> None:
    world.new_findings(lar, 350479, 3)
    assert world.told() == {"events": 1, "notices": 1, "messages": 0}
    assert world.titles(ada) == ["3 new findings of LAR"]
    assert [world.titles(each) for each in (ben, chi, pat)] == [[], [], []]
    notice = Notice.objects.get()
    assert (notice.system, notice.event.path) == (lar, "/review/?system=LAR")
    assert notice.event.title == "3 new findings of LAR in run 350479"


def test_a_run_without_findings_is_no_news(lar: System, ada: User) -> None:
    world.new_findings(lar, 350479, 0)
    world.told()
    assert world.titles(ada) == []
    assert not Event.objects.exists()


def test_that_automation_stopped_goes_to_experts_of_the_system_and_coordinators(
    lar: System, ada: User, chi: User, pat: User
) -> None:
    world.stop_automation(lar)
    world.told()
    told = ["Automation of LAR stopped, by the installation itself"]
    assert [world.titles(each) for each in (ada, chi, pat)] == [told, told, []]
    event = Event.objects.get()
    assert event.text == "Pollution is above its limit."
    assert event.data["bound"] == {"pollution": {"limit": 0.01}}
    assert event.path == "/guarantees/LAR/"


def test_who_stopped_it_knows(lar: System, ada: User, chi: User) -> None:
    world.stop_automation(lar, actor=chi)
    world.told()
    assert (world.titles(ada), world.titles(chi)) == (["Automation of LAR stopped, by chi"], [])


def test_a_published_list_goes_to_the_other_coordinators(ada: User, chi: User) -> None:
    cat = cast.make_user("cat", "coordinator")
    made = world.publish_list(chi)
    world.told()
    assert world.titles(cat) == ["The list pro22 was published by chi"]
    assert (world.titles(ada), world.titles(chi)) == ([], [])
    assert Notice.objects.get().event.path == f"/good-runs/{made.pk}/"


def test_a_failed_job_goes_to_coordinators_and_to_who_asked(ada: User, ben: User, chi: User) -> None:
    job = world.failed_job(actor=ada)
    world.told()
    told = [f"Job {job.pk} tests.fail failed"]
    assert [world.titles(each) for each in (ada, ben, chi)] == [told, [], told]
    assert dict(Notice.objects.values_list("person__username", "kind")) == {"ada": "my-job", "chi": "job"}
    assert Event.objects.get().text == "No such file."


def test_a_lost_job_is_told_too_and_a_live_one_is_not(chi: User) -> None:
    for state in JobState.values:
        Job.objects.create(kind="tests.count", key=state, state=state, message="Its worker died 3 times.")
    Job.objects.filter(state=JobState.FAILED).delete()
    world.told()
    assert [title.partition("tests.count ")[2] for title in world.titles(chi)] == ["was lost"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.PROMOTED, "promoted"),
        (Outcome.SHADOW, "kept in shadow"),
        (Outcome.REJECTED, "rejected"),
        (Outcome.FAILED, "failed"),
        (Outcome.UNCHANGED, ""),
        (Outcome.TOO_FEW, ""),
        (Outcome.PAUSED, ""),
    ],
)
def test_what_a_training_came_to_goes_to_coordinators_when_it_is_news(
    lar: System, ada: User, chi: User, outcome: Outcome, words: str
) -> None:
    world.training_ended(lar, outcome)
    world.told()
    assert world.titles(chi) == ([f"Training 1 of LAR: {words}"] if words else [])
    assert world.titles(ada) == []


def test_a_training_that_failed_in_a_job_is_told_once_by_the_job(lar: System, chi: User) -> None:
    job = world.failed_job()
    world.training_ended(lar, Outcome.FAILED, job=job)
    world.told()
    assert world.titles(chi) == [f"Job {job.pk} tests.fail failed"]


def test_who_has_no_role_or_no_account_any_more_is_told_nothing(lar: System, ada: User, eve: User, dee: User) -> None:
    accounts.revoke_role(actor=None, user=ada, role="expert", system=lar)
    User.objects.filter(pk=eve.pk).update(is_active=False)
    world.new_findings(lar, 350479)
    world.failed_job(actor=dee)
    world.told()
    assert not Notice.objects.exists()


def test_nothing_is_told_twice(lar: System, ada: User, chi: User) -> None:
    world.new_findings(lar, 350479)
    world.failed_job()
    world.told()
    assert world.told() == {"events": 0, "notices": 0, "messages": 0}
    assert Notice.objects.count() == 2
    assert AuditEvent.objects.filter(code="notices.find").count() == 1
