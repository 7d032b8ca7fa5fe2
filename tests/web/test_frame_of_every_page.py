"""What stands around every page: where one can go, and whether background work is being done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from certifier.accounts.models import User
from certifier.ops.heartbeats import beat
from tests.web.experiment import words

Page = Callable[[User | None], Client]
NO_WORKER = "No worker."
QUEUES = ("default", "score", "train")


def test_it_leads_to_every_room(page: Page, chi: User) -> None:
    text = page(chi).get("/").content.decode()
    for name in (
        "web:home",
        "web:runs",
        "defects:catalogue",
        "goodruns:lists",
        "precert:models",
        "ops:jobs",
        "accounts:profile",
        "histograms:catalogue",
    ):
        assert f'href="{reverse(name)}"' in text, name
    assert f'action="{reverse("accounts:logout")}"' in text


def test_it_leads_administrators_to_administration(page: Page, ova: User, chi: User) -> None:
    ova.is_staff = True
    ova.save()
    assert f'href="{reverse("admin:index")}"' in page(ova).get("/").content.decode()
    assert f'href="{reverse("admin:index")}"' not in page(chi).get("/").content.decode()


@pytest.mark.parametrize("served", [(), ("default",), QUEUES])
def test_it_says_when_a_queue_has_no_worker(page: Page, ben: User, served: tuple[str, ...]) -> None:
    for queue in served:
        beat(queue)
    shown = NO_WORKER in words(page(ben).get("/runs/").content.decode())
    assert shown == (served != QUEUES)


def test_it_tells_strangers_and_outsiders_nothing_of_workers(page: Page, dee: User) -> None:
    assert NO_WORKER not in page(None).get("/account/sign-in/").content.decode()
    assert NO_WORKER not in page(dee).get("/account/").content.decode()


def test_it_sends_a_post_of_a_stranger_away(page: Page) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/account/tokens/", {"name": "x"}).status_code == 403
