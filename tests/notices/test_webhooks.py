"""Requests to a real receiver on this machine: signed, tried again, cut off when it takes too long."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.notices import outbox, posting, services, webhooks
from certifier.notices.models import Delivery, DeliveryState, Webhook
from tests.notices import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("private_network")]


def test_a_request_says_what_happened_and_is_signed(lar: System, settings: Any) -> None:
    settings.SITE_URL = "https://certifier.example.org/"
    with world.receiver(204) as receiver:
        webhook = world.define(receiver.url)
        world.stop_automation(lar)
        world.told()
        assert outbox.deliver() == {"sent": 1, "failed": 0, "given up": 0}
    (got,) = receiver.received
    content = got.content
    assert {key: content[key] for key in ("test", "kind", "system", "text", "url", "by")} == {
        "test": False,
        "kind": "stopped",
        "system": "LAR",
        "text": "Pollution is above its limit.",
        "url": "https://certifier.example.org/guarantees/LAR/",
        "by": "system",
    }
    delivery, stamp = got.headers["Certifier-Delivery"], got.headers["Certifier-Timestamp"]
    assert delivery == content["id"] == str(Delivery.objects.get().uid)
    assert abs(time.time() - int(stamp)) < 60
    signed = f"{stamp}.{delivery}.".encode() + got.body
    expected = hmac.new(world.secret_of(webhook).encode(), signed, hashlib.sha256).hexdigest()
    assert got.headers["Certifier-Signature"] == f"sha256={expected}"
    assert got.headers["Host"] == receiver.url.split("/")[2]


def test_a_500_is_tried_again_under_the_same_id(lar: System) -> None:
    with world.receiver(500, 204) as receiver:
        world.define(receiver.url)
        world.stop_automation(lar)
        world.told()
        assert outbox.deliver()["failed"] == 1
        delivery = Delivery.objects.get()
        assert delivery.last_error == "It answered 500 Internal Server Error. what it says"
        assert delivery.next_at > timezone.now() + timedelta(seconds=50)
        Delivery.objects.update(next_at=timezone.now())
        assert outbox.deliver()["sent"] == 1
    first, second = receiver.received
    assert first.headers["Certifier-Delivery"] == second.headers["Certifier-Delivery"]
    assert first.body == second.body
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.SENT, 2, "")


def test_a_redirect_is_not_followed(lar: System) -> None:
    with world.receiver(302) as receiver:
        world.define(receiver.url)
        world.stop_automation(lar)
        world.told()
        assert outbox.deliver()["failed"] == 1
    assert len(receiver.received) == 1
    assert "302" in Delivery.objects.get().last_error


def test_one_that_hangs_is_cut_off_and_holds_up_nobody(lar: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIME_LIMIT_S", 0.3)
    with world.receiver(204, slowly=world.sleepy(3)) as hanging, world.receiver(204) as quick:
        world.define(hanging.url, name="hangs")
        world.define(quick.url, name="quick")
        world.stop_automation(lar)
        world.stop_automation_again(lar)
        world.told()
        began = time.monotonic()
        assert outbox.deliver() == {"sent": 2, "failed": 1, "given up": 0}
        assert time.monotonic() - began < 2
        assert len(quick.received) == 2
    assert set(Delivery.objects.exclude(last_error="").values_list("last_error", flat=True)) == {
        "It did not answer within 0.3 s."
    }
    assert Delivery.objects.filter(state=DeliveryState.WAITING, attempts=0).count() == 1


def test_one_that_answers_a_byte_at_a_time_is_cut_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIME_LIMIT_S", 0.5)
    with world.dripping() as url:
        began = time.monotonic()
        with pytest.raises(posting.NotTaken, match=r"within 0\.5 s"):
            posting.post(url, "secret", "id", {})
        assert time.monotonic() - began < 2


def test_nobody_there_is_a_failure_in_words(lar: System) -> None:
    with world.receiver() as receiver:
        pass
    world.define(receiver.url)
    world.stop_automation(lar)
    world.told()
    assert outbox.deliver()["failed"] == 1
    assert "refused" in Delivery.objects.get().last_error


def test_it_is_told_only_of_its_kinds_and_systems(lar: System, pixel: System, chi: User) -> None:
    world.define("https://one.example.org/", name="all of LAR", systems=[lar])
    world.define("https://two.example.org/", name="lists", kinds=["list"])
    world.define("https://three.example.org/", name="stops of PIXEL", kinds=["stopped"], systems=[pixel])
    world.stop_automation(lar)
    world.publish_list(chi)
    world.new_findings(pixel, 350479)
    world.told()
    told = sorted(Delivery.objects.values_list("webhook__name", "event__kind"))
    assert told == [("all of LAR", "list"), ("all of LAR", "stopped"), ("lists", "list")]


def test_one_of_a_person_gets_what_the_person_wants_by_webhook(lar: System, ada: User, eve: User, chi: User) -> None:
    world.define("https://ada.example.org/", name="ada's", person=ada)
    world.define("https://eve.example.org/", name="eve's", person=eve)
    services.set_preferences(actor=eve, wanted={("items", "webhook"): False})
    world.new_findings(lar, 350479)
    world.publish_list(chi)
    world.told()
    assert list(Delivery.objects.values_list("webhook__name", "event__kind")) == [("ada's", "items")]


def test_switched_off_it_gets_nothing_and_what_waits_is_given_up(lar: System, chi: User) -> None:
    webhook = world.define("https://one.example.org/")
    world.stop_automation(lar)
    world.told()
    webhooks.switch_webhook(actor=chi, webhook=webhook, on=False)
    world.new_findings(lar, 350479)
    world.told()
    assert outbox.deliver() == {"sent": 0, "failed": 0, "given up": 1}
    assert Delivery.objects.get().last_error == "The webhook was switched off before."


def test_a_test_is_sent_and_says_that_it_is_one(chi: User) -> None:
    with world.receiver(200) as receiver:
        webhook = world.define(receiver.url)
        outbox.send_test(actor=chi, webhook=webhook)
        outbox.deliver()
    (got,) = receiver.received
    assert (got.content["test"], got.content["kind"], got.content["by"]) == (True, "test", "chi")


def test_what_was_given_up_is_sent_again_by_hand(lar: System, chi: User) -> None:
    from certifier.notices.errors import NotToBeSent

    with world.receiver(204) as receiver:
        world.define(receiver.url)
        world.stop_automation(lar)
        world.told()
        Delivery.objects.update(state=DeliveryState.GIVEN_UP, attempts=8, last_error="refused")
        delivery = Delivery.objects.get()
        outbox.send_again(actor=chi, delivery=delivery)
        assert outbox.deliver()["sent"] == 1
    assert receiver.received[0].headers["Certifier-Delivery"] == str(delivery.uid)
    with pytest.raises(NotToBeSent):
        outbox.send_again(actor=chi, delivery=delivery)


def test_a_new_secret_signs_from_then_on(lar: System, chi: User) -> None:
    with world.receiver(204) as receiver:
        webhook = world.define(receiver.url)
        old = world.secret_of(webhook)
        new = webhooks.renew_secret(actor=chi, webhook=webhook)
        outbox.send_test(actor=chi, webhook=Webhook.objects.get())
        outbox.deliver()
    (got,) = receiver.received
    arguments = (got.headers["Certifier-Timestamp"], got.headers["Certifier-Delivery"], got.body)
    assert posting.signature(new, *arguments) == got.headers["Certifier-Signature"]
    assert posting.signature(old, *arguments) != got.headers["Certifier-Signature"]
