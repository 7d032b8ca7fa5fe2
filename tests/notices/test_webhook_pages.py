"""Coordinators define webhooks and see what was sent; nobody else does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.notices import outbox, webhooks
from certifier.notices.models import Delivery, DeliveryState, Webhook
from certifier.ops.models import Job
from tests.notices import world
from tests.web.experiment import words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
ALL = "/notices/webhooks/"
URL = "https://chat.example.org/hook"


def secret_in(html: str) -> str:
    found = re.search(r'value="([\w-]+)" aria-label="The secret"', html)
    return found[1] if found else ""


def test_one_is_defined_and_its_secret_shown_once(page: Page, chi: User, ada: User, lar: System) -> None:
    client = page(chi)
    sent = {"name": "chat", "url": URL, "kinds": ["items", "stopped"], "systems": ["LAR"], "person": "ada"}
    made = client.post(ALL, sent)
    assert made.status_code == 201
    webhook = Webhook.objects.get()
    assert secret_in(made.content.decode()) == world.secret_of(webhook)
    assert (webhook.kinds, list(webhook.systems.all()), webhook.person, webhook.by) == (
        ["items", "stopped"],
        [lar],
        ada,
        chi,
    )
    html = client.get(ALL).content.decode()
    assert world.secret_of(webhook) not in html
    assert "chat of ada https://chat.example.org/hook items, stopped LAR ● on 0 0 0" in words(html)
    event = AuditEvent.objects.get(code="notices.define_webhook")
    assert world.secret_of(webhook) not in str(event.data)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"name": ""}, 422, "This field is required."),
        ({"url": "http://10.0.0.1/"}, 400, "nothing is sent there"),
        ({"url": "gopher://x"}, 400, "must begin with https"),
        ({"kinds": ["my-job"]}, 422, "not one of the available"),
        ({"person": "nobody"}, 422, "not one of the available"),
        ({"name": "taken"}, 409, "Choose another name."),
    ],
)
def test_what_is_wrong_stands_at_its_field(page: Page, chi: User, sent: dict[str, Any], status: int, said: str) -> None:
    world.define(URL, name="taken")
    response = page(chi).post(ALL, {"name": "chat", "url": URL, **sent})
    assert response.status_code == status
    assert said in words(response.content.decode())
    assert Webhook.objects.count() == 1


def test_one_is_changed_and_keeps_its_secret(page: Page, chi: User, pixel: System) -> None:
    webhook = world.define(URL, kinds=["list"])
    client = page(chi)
    html = client.get(f"{ALL}{webhook.pk}/").content.decode()
    assert f'value="{URL}"' in html
    assert 'value="list" id="id_kinds_3" checked' in html
    assert world.secret_of(webhook) not in html
    answer = client.post(f"{ALL}{webhook.pk}/", {"name": "dashboard", "url": URL + "2", "systems": ["PIXEL"]})
    assert answer.headers["Location"] == ALL
    changed = Webhook.objects.get()
    assert (changed.name, changed.url, changed.kinds) == ("dashboard", URL + "2", [])
    assert changed.sealed_secret == webhook.sealed_secret
    assert list(changed.systems.all()) == [pixel]
    assert client.post(f"{ALL}{webhook.pk}/", {"name": "x", "url": "http://127.0.0.1/"}).status_code == 400


def test_a_new_secret_is_shown_once(page: Page, chi: User) -> None:
    webhook = world.define(URL)
    before = world.secret_of(webhook)
    html = page(chi).post(f"{ALL}{webhook.pk}/secret/").content.decode()
    assert secret_in(html) == world.secret_of(webhook) != before


def test_it_is_switched_off_and_on(page: Page, chi: User) -> None:
    webhook = world.define(URL)
    client = page(chi)
    client.post(f"{ALL}{webhook.pk}/switch/", {"on": "0"})
    text = words(client.get(ALL).content.decode())
    assert "◇ off" in text
    assert "Send a test" not in text
    client.post(f"{ALL}{webhook.pk}/test/")
    assert not Delivery.objects.exists()
    client.post(f"{ALL}{webhook.pk}/switch/", {"on": "1"})
    assert Webhook.objects.get().is_active
    assert AuditEvent.objects.filter(code="notices.switch_webhook").count() == 2


def test_a_test_starts_a_job_that_sends_it(page: Page, chi: User) -> None:
    webhook = world.define(URL)
    client = page(chi)
    client.post(f"{ALL}{webhook.pk}/test/")
    assert Job.objects.get().kind == outbox.KIND
    assert "A test of the webhook chat ○ waits 0" in words(client.get(ALL).content.decode())


def test_what_did_not_arrive_says_why_and_is_sent_again(page: Page, lar: System, chi: User) -> None:
    world.define(URL)
    world.stop_automation(lar)
    world.told()
    Delivery.objects.update(state=DeliveryState.GIVEN_UP, attempts=8, last_error="It answered 500.")
    client = page(chi)
    for url in (ALL, f"{ALL}?show=failed"):
        assert "It answered 500. ■ given up 8" in words(client.get(url).content.decode())
    client.post(f"/notices/deliveries/{Delivery.objects.get().pk}/again/")
    assert Delivery.objects.get().state == DeliveryState.WAITING
    assert AuditEvent.objects.filter(code="notices.send_again").exists()


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
@pytest.mark.usefixtures("ada", "ben", "dee")
def test_nobody_else_opens_or_changes_anything(page: Page, lar: System, name: str) -> None:
    webhook = world.define(URL)
    world.stop_automation(lar)
    world.told()
    client = page(User.objects.get(username=name))
    one = f"{ALL}{webhook.pk}/"
    assert [client.get(url).status_code for url in (ALL, one)] == [403, 403]
    again = f"/notices/deliveries/{Delivery.objects.get().pk}/again/"
    acts = [ALL, one, f"{one}secret/", f"{one}switch/", f"{one}test/", again]
    assert [client.post(url, {"name": "mine", "url": URL}).status_code for url in acts] == [403] * len(acts)
    assert Webhook.objects.get().name == "chat"
    assert Webhook.objects.get().sealed_secret == webhook.sealed_secret
    assert Delivery.objects.count() == 1


def test_the_services_refuse_too(lar: System, ada: User, ben: User, dee: User) -> None:
    webhook = world.define(URL)
    wish = webhooks.Wish("mine", URL)
    world.stop_automation(lar)
    world.told()
    delivery = Delivery.objects.get()
    for person in (ada, ben, dee):
        for act in (
            lambda who: webhooks.define_webhook(actor=who, wish=wish),
            lambda who: webhooks.change_webhook(actor=who, webhook=webhook, wish=wish),
            lambda who: webhooks.switch_webhook(actor=who, webhook=webhook, on=False),
            lambda who: webhooks.renew_secret(actor=who, webhook=webhook),
            lambda who: outbox.send_test(actor=who, webhook=webhook),
            lambda who: outbox.send_again(actor=who, delivery=delivery),
        ):
            with pytest.raises(NotAllowed):
                act(person)
