"""Signing on the run page: the panel shows who signed what, and offers what this person may do now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.template import RequestContext, Template
from django.test import Client, RequestFactory

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.defects.services import NewDefect, NewEntry
from certifier.review.models import SignOff
from certifier.review.services import sign_off
from certifier.runs.models import Run
from tests import cast

Page = Callable[[User | None], Client]


@pytest.fixture
def run(make_run: Callable[..., Run], lar: System, pixel: System) -> Run:
    return make_run(350479)


def panel(user: User, run: Run) -> str:
    """The panel as a page of a room above includes it."""
    request = RequestFactory().get("/")
    request.user = user
    page = Template("{% load sign_off %}{% sign_off_panel run %}")
    return page.render(RequestContext(request, {"run": run}))


def act(client: Client, verb: str = "sign", **changes: Any) -> Any:
    headers = {"HX-Request": "true"} if changes.pop("htmx", False) else {}
    body = {"system": "LAR", "stage": "express", "comment": ""} | changes
    return client.post(f"/sign-offs/350479/{verb}/", body, headers=headers)


def test_it_offers_an_expert_their_own_system(run: Run, ada: User) -> None:
    html = panel(ada, run)
    assert html.count("Sign express") == 1
    assert "Sign GLOBAL express, then 5 more." in html


def test_it_offers_nothing_to_somebody_who_only_looks(run: Run) -> None:
    viewer = cast.make_user("vic", "viewer")
    assert "<form" not in panel(viewer, run)


def test_it_signs_and_comes_back_to_the_run(page: Page, run: Run, ada: User) -> None:
    client = page(ada)
    answer = act(client)
    assert answer["Location"] == "/runs/350479/#sign-off"
    html = client.get("/runs/350479/").content.decode()
    assert "LAR express of run 350479 is signed." in html
    assert 'id="sign-off"' in html
    assert "Sign bulk" in html


def test_it_answers_htmx_with_the_panel(page: Page, run: Run, ada: User) -> None:
    answer = act(page(ada), htmx=True)
    assert answer.status_code == 200
    assert answer.content.decode().lstrip().startswith('<section class="card" id="sign-off"')
    assert "LAR express of run 350479 is signed." in answer.content.decode()


def test_it_says_what_stands_against_it(page: Page, run: Run, ada: User) -> None:
    client = page(ada)
    refused = act(client, stage="bulk", htmx=True)
    assert refused.status_code == 409
    assert "express stage of LAR is unchecked" in refused.content.decode()
    answer = act(client, stage="bulk")
    assert "express stage of LAR is unchecked" in str(*get_messages(answer.wsgi_request))
    assert not SignOff.objects.exists()


def test_it_reopens_with_a_reason(page: Page, run: Run, ada: User) -> None:
    client = page(ada)
    act(client)
    act(client, stage="bulk")
    assert act(client, "reopen", htmx=True).status_code == 409
    answer = act(client, "reopen", comment="noise", htmx=True)
    assert "LAR express and bulk of run 350479 are reopened." in answer.content.decode()
    assert SignOff.objects.filter(action="reopen").count() == 2


def test_it_refuses_who_may_not(page: Page, run: Run, ben: User, dee: User) -> None:
    assert act(page(dee)).status_code == 403
    assert act(page(ben), stage="bulk").status_code == 403
    assert act(page(None)).status_code in (302, 403)
    assert act(page(ben), "reopen", comment="x").status_code == 403
    assert page(ben).get("/sign-offs/350479/sign/").status_code == 405
    assert not SignOff.objects.exists()


def test_it_does_not_know_other_systems(page: Page, run: Run, ada: User) -> None:
    assert act(page(ada), system="NOSUCH").status_code == 404


def test_it_tells_of_entries_that_the_signer_has_not_seen(run: Run, ada: User, lar: System) -> None:
    defects.define_defects(actor=None, definitions=[NewDefect(name="LAR_X", system="LAR")])
    sign_off(actor=ada, run=run, system=lar, stage="express")
    assert "entries since" not in panel(ada, run)
    entry = NewEntry(run=350479, defect="LAR_X", lumisections="3")
    defects.record_entries(actor=None, entries=[entry], source="page")
    assert "entries since" in panel(ada, run)
