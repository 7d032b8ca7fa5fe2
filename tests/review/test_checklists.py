"""Checklists: written by the experts of a system, ticked when a stage is signed, kept with the signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.review import checklists, services
from certifier.review.checklists import ChecklistChanged, ChecklistRefused, Ticks
from certifier.review.models import Checklist, SignOff
from certifier.runs.models import Run

Page = Callable[[User | None], Client]
POINTS = ["Noise bursts", "HV trips"]


@pytest.fixture
def run(make_run: Callable[..., Run], lar: System, pixel: System) -> Run:
    return make_run(350479)


def write(actor: User | None, lar: System, *points: str, expected: int | None = None) -> Checklist:
    return checklists.write_checklist(actor=actor, system=lar, stage="express", points=points, expected=expected)


def test_a_change_is_a_new_version_and_the_same_points_are_none(ada: User, lar: System) -> None:
    assert write(ada, lar, *POINTS).number == 1
    assert write(ada, lar, " Noise  bursts ", "HV trips", "HV trips", "").number == 1
    second = write(ada, lar, "HV trips", expected=1)
    assert (second.number, second.points, second.by_name) == (2, ["HV trips"], "ada")
    assert [each.number for each in checklists.versions_of(lar, "express")] == [2, 1]
    assert AuditEvent.objects.filter(code="review.write_checklist").count() == 2


def test_without_points_there_is_none_any_more(ada: User, lar: System) -> None:
    write(ada, lar, *POINTS)
    write(ada, lar)
    assert checklists.checklist_of(lar, "express") is None


def test_only_experts_of_the_system_and_coordinators_write_it(lar: System, pixel: System, ada: User, ben: User) -> None:
    for actor, system in ((ben, lar), (ada, pixel)):
        with pytest.raises(NotAllowed, match="needs the role"):
            write(actor, system, *POINTS)
    assert not Checklist.objects.exists()


def test_two_people_do_not_overwrite_each_other(ada: User, chi: User, lar: System) -> None:
    write(ada, lar, *POINTS)
    write(chi, lar, "HV trips", expected=1)
    with pytest.raises(ChecklistChanged):
        write(ada, lar, "Noise", expected=1)


@pytest.mark.parametrize("points", [["x" * 301], [str(n) for n in range(41)], ["a\x07b"]])
def test_it_refuses_what_nobody_would_read(ada: User, lar: System, points: list[str]) -> None:
    with pytest.raises(ChecklistRefused):
        write(ada, lar, *points)


def test_what_was_ticked_is_kept_with_the_signature(run: Run, ada: User, lar: System) -> None:
    write(ada, lar, *POINTS)
    with pytest.raises(ChecklistRefused, match="Not ticked: “HV trips”"):
        services.sign_off(actor=ada, run=run, system=lar, stage="express", ticks=Ticks(1, (0,)))
    row = services.sign_off(
        actor=ada, run=run, system=lar, stage="express", comment="No HV data.", ticks=Ticks(1, (0, 0))
    )
    write(ada, lar, "Something else")
    assert SignOff.objects.get(pk=row.pk).points == [("Noise bursts", True), ("HV trips", False)]
    assert AuditEvent.objects.get(code="review.sign_off").data["points"] == 2


def test_a_script_signs_without_being_shown_any(run: Run, ada: User, lar: System) -> None:
    write(ada, lar, *POINTS)
    row = services.sign_off(actor=ada, run=run, system=lar, stage="express")
    assert (row.checklist, row.points) == (None, [])


def test_what_was_shown_must_be_what_holds(run: Run, ada: User, lar: System) -> None:
    write(ada, lar, *POINTS)
    for stale in (Ticks(0), Ticks(7, (0, 1))):
        with pytest.raises(ChecklistChanged):
            services.sign_off(actor=ada, run=run, system=lar, stage="express", ticks=stale)
    with pytest.raises(ChecklistRefused):
        services.sign_off(actor=ada, run=run, system=lar, stage="express", ticks=Ticks(1, (5,)), comment="x")
    assert not SignOff.objects.exists()


def test_the_page_signs_with_its_checklist(page: Page, run: Run, ada: User, lar: System) -> None:
    write(ada, lar, *POINTS)
    client = page(ada)
    assert 'href="/sign-offs/350479/LAR/express/"' in client.get("/runs/350479/").content.decode()
    html = client.get("/sign-offs/350479/LAR/express/").content.decode()
    assert "HV trips" in html
    refused = client.post("/sign-offs/350479/LAR/express/", {"checklist": "1", "tick": ["1"], "comment": ""})
    assert refused.status_code == 409
    text = refused.content.decode()
    assert "Not ticked: “Noise bursts”" in text
    assert 'value="1" checked' in text
    done = client.post("/sign-offs/350479/LAR/express/", {"checklist": "1", "tick": ["0", "1"], "comment": ""})
    assert done["Location"] == "/runs/350479/#sign-off"
    html = client.get("/sign-offs/350479/LAR/bulk/").content.decode()
    assert html.count("☑") == 2


def test_the_page_refuses_who_may_not_sign(page: Page, run: Run, ben: User, dee: User, lar: System) -> None:
    assert page(dee).get("/sign-offs/350479/LAR/bulk/").status_code == 403
    text = page(ben).get("/sign-offs/350479/LAR/bulk/").content.decode()
    assert "Signing off the bulk stage needs the role expert of LAR" in text
    answer = page(ben).post("/sign-offs/350479/LAR/bulk/", {"checklist": "0"})
    assert answer.status_code == 403
    assert not SignOff.objects.exists()


def test_its_pages_show_and_change_it(page: Page, ada: User, ben: User, dee: User, lar: System) -> None:
    client, address = page(ada), "/sign-offs/checklists/LAR/express/"
    assert "None was written yet." in client.get(address).content.decode()
    done = client.post(address, {"points": "Noise bursts\n\nHV trips\n", "expected": "0"}, follow=True)
    assert "has 2 points now" in done.content.decode()
    stale = client.post(address, {"points": "x", "expected": "0"})
    assert stale.status_code == 409
    assert "was changed since you opened it" in stale.content.decode()
    assert "2 points" in page(ben).get("/sign-offs/checklists/").content.decode()
    assert "<textarea" not in page(ben).get(address).content.decode()
    assert page(ben).post(address, {"points": "x", "expected": "1"}).status_code == 403
    assert page(dee).get(address).status_code == 403
    assert page(ada).get("/sign-offs/checklists/LAR/prompt/").status_code == 400


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("address", ["/sign-offs/350479/LAR/express/", "/sign-offs/checklists/"])
def test_they_ask_little_of_the_database(
    page: Page, ada: User, lar: System, address: str, django_assert_max_num_queries: Any
) -> None:
    write(ada, lar, *POINTS)
    client = page(ada)
    client.get(address)
    with django_assert_max_num_queries(12):
        client.get(address)
