"""A sweep that is killed has told nobody, and the next tells all; a killed sender's message goes again under its id."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.notices import digest, outbox, services, tasks
from certifier.notices.models import Delivery, DeliveryState, Event, Notice, Watermark
from certifier.ops.models import Job
from tests.notices import world

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """As SIGKILL would: nothing in the program catches it."""


def killed(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.fixture(autouse=True)
def chi_has_an_address(chi: User) -> None:
    User.objects.filter(pk=chi.pk).update(email="chi@example.org")


@pytest.mark.parametrize("where", ["_put_notices", "post_event", "digest.put"])
def test_a_sweep_killed_while_writing_tells_later(
    lar: System, ada: User, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    world.define("https://chat.example.org/hook")
    world.new_findings(lar, 350479, 2)
    world.failed_job()
    before = Watermark.objects.get()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(f"certifier.notices.services.{where}", killed)
        services.find()
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()
    assert Watermark.objects.get().sequence == before.sequence
    assert services.find() == {"events": 2, "notices": 2, "messages": 3}
    assert Notice.objects.count() == 2


def test_what_was_written_and_not_sent_is_sent_by_the_next_sweep(chi: User) -> None:
    world.failed_job()
    services.find()
    assert not mail.outbox
    # The worker died before it started a job; the next sweep finds nothing new, and the mail that waits.
    assert tasks.find() == {"events": 0, "notices": 0, "messages": 0}
    assert Job.objects.filter(kind=outbox.KIND).count() == 1
    assert outbox.deliver() == {"sent": 1, "failed": 0, "given up": 0}
    assert len(mail.outbox) == 1


def test_a_sender_killed_after_sending_sends_again_under_the_same_id(
    chi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.failed_job()
    services.find()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(outbox, "_end", killed)
        outbox.deliver()
    assert outbox.deliver()["sent"] == 0, "the claim of the dead worker still holds"
    Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert outbox.deliver()["sent"] == 1
    assert [each.extra_headers["Message-ID"] for each in mail.outbox] == [
        f"<{Delivery.objects.get().uid}@certifier>"
    ] * 2
    assert Delivery.objects.get().attempts == 2


def test_what_comes_while_a_mail_is_being_sent_goes_into_the_next(chi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    real = digest.send

    def send_slowly(delivery: Delivery, person: User) -> None:
        world.failed_job(key="meanwhile")
        services.find()
        real(delivery, person)

    world.failed_job()
    services.find()
    with monkeypatch.context() as patched:
        patched.setattr(digest, "send", send_slowly)
        outbox.deliver()
    outbox.deliver()
    assert [each.subject.startswith("[Certifier] Job ") for each in mail.outbox] == [True, True]
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.SENT}
