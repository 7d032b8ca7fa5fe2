"""Mails: one for a person and a sweep, to who has an address and wants it; what fails is kept and tried again."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from certifier.accounts import services as accounts
from certifier.accounts.models import System, User
from certifier.notices import digest, outbox
from certifier.notices.models import Delivery, DeliveryState
from tests.notices import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def addresses(ada: User, chi: User, settings: Any) -> None:
    settings.SITE_URL = "https://certifier.example.org"
    for person in (ada, chi):
        person.email = f"{person.username}@example.org"
        person.save()


def test_there_is_one_with_everything_that_is_new(lar: System, chi: User) -> None:
    world.stop_automation(lar)
    for number in range(3):
        world.failed_job(key=f"work {number}")
    world.told()
    outbox.deliver()
    (to_chi,) = [each for each in mail.outbox if each.to == ["chi@example.org"]]
    assert to_chi.subject == "[Certifier] Automation of LAR stopped, by the installation itself, and 1 more"
    assert "Pollution is above its limit.\nhttps://certifier.example.org/guarantees/LAR/" in to_chi.body
    assert "3 jobs tests.fail failed (" in to_chi.body
    assert "https://certifier.example.org/notices/settings/" in to_chi.body
    assert to_chi.extra_headers["Auto-Submitted"] == "auto-generated"
    assert len(mail.outbox) == 2, "the other is to ada"


def test_it_has_the_title_alone_when_one_thing_is_new(lar: System, ada: User) -> None:
    job = world.failed_job(actor=ada)
    world.told()
    outbox.deliver()
    assert {each.subject for each in mail.outbox} == {f"[Certifier] Job {job.pk} tests.fail failed"}


def test_without_an_address_there_is_none(chi: User) -> None:
    User.objects.update(email="")
    world.failed_job()
    world.told()
    assert not Delivery.objects.exists()
    assert len(world.titles(chi)) == 1


def test_without_a_mail_server_none_is_written(chi: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = digest.NO_MAIL_BACKEND
    world.failed_job()
    world.told()
    assert not Delivery.objects.exists()


def test_what_is_not_urgent_comes_by_mail_only_when_asked_for(lar: System, ada: User) -> None:
    world.new_findings(lar, 350479)
    world.told()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "error", [smtplib.SMTPServerDisconnected("gone"), ConnectionRefusedError("refused"), TimeoutError("timed out")]
)
def test_what_fails_is_kept_and_tried_again(chi: User, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: Any) -> None:
        raise error

    world.failed_job()
    world.told()
    with monkeypatch.context() as patched:
        patched.setattr(digest, "send", refuse)
        assert outbox.deliver() == {"sent": 0, "failed": 1, "given up": 0}
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.WAITING, 1, str(error))
    assert timedelta(seconds=50) < delivery.next_at - timezone.now() < timedelta(minutes=1)
    assert outbox.deliver()["sent"] == 0, "its time has not come"
    Delivery.objects.update(next_at=timezone.now())
    assert outbox.deliver()["sent"] == 1
    assert len(mail.outbox) == 1


def test_while_the_server_is_away_one_mail_grows(chi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(digest, "send", refuse)
    for number in range(5):
        world.failed_job(key=f"work {number}")
        world.told()
        outbox.deliver()
    assert Delivery.objects.count() == 2
    counts = [delivery.content["lines"][0]["count"] for delivery in Delivery.objects.order_by("pk")]
    assert counts == [1, 4]
    assert Delivery.objects.order_by("pk")[0].attempts == 1


def test_it_is_given_up_after_a_day_and_a_half_and_says_so(chi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(digest, "send", refuse)
    world.failed_job()
    world.told()
    outcomes = []
    for _ in range(9):
        outcomes.append(outbox.deliver())
        Delivery.objects.update(next_at=timezone.now())
    assert [outcome["failed"] for outcome in outcomes] == [1] * 7 + [0, 0]
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.GIVEN_UP, 8, "refused")
    assert delivery.ended_at is not None
    assert sum(outbox.WAITS, timedelta()) == timedelta(hours=35, minutes=21)


@pytest.mark.parametrize("how", ["role", "account", "address"])
def test_nobody_gets_one_who_may_not_any_more(chi: User, how: str) -> None:
    world.failed_job()
    world.told()
    if how == "role":
        accounts.revoke_role(actor=None, user=chi, role="coordinator")
    else:
        User.objects.filter(pk=chi.pk).update(**({"is_active": False} if how == "account" else {"email": ""}))
    assert outbox.deliver() == {"sent": 0, "failed": 0, "given up": 1}
    assert not mail.outbox
    assert "any more" in Delivery.objects.get().last_error
