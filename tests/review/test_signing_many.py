"""Signing many runs at once: previewed first, then all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.defects import services as defects
from certifier.defects.services import NewDefect, NewEntry
from certifier.review import bulk_sign_off, checklists, services
from certifier.review.bulk_sign_off import SigningChanged
from certifier.review.models import SignOff
from certifier.review.rules import NotSignable
from certifier.runs.models import Run

Page = Callable[[User | None], Client]
ADDRESS = "/sign-offs/many/?system=LAR&stage=bulk&runs=1-9"


@pytest.fixture
def runs(make_run: Callable[..., Run], lar: System) -> list[Run]:
    """1 and 2 can be signed bulk, 3 lacks express, 4 goes on, 5 has no lumisections, 6 is signed."""
    made = [make_run(number, 0 if number == 5 else 50) for number in range(1, 7)]
    made[3].started_at = datetime(2018, 5, 14, tzinfo=UTC)
    made[3].save()
    for number in (1, 2, 4, 6):
        services.sign_off(actor=None, run=made[number - 1], system=lar, stage="express")
    services.sign_off(actor=None, run=made[5], system=lar, stage="bulk")
    return made


def test_the_preview_says_which_can_be_signed_and_why_the_others_not(runs: list[Run], lar: System) -> None:
    found = bulk_sign_off.preview(lar, "bulk", runs)
    assert [each.run.number for each in found.can] == [1, 2]
    assert {each.run.number: each.reasons[0] for each in found.refused} == {
        3: "The express stage of LAR is unchecked; it is signed before the bulk stage.",
        4: "Run 4 is still going on; the bulk stage is signed after its end.",
        5: "Run 5 has no lumisections yet: there is nothing to look at.",
        6: "The bulk stage of LAR is signed already; reopen it to sign it again.",
    }


def test_it_signs_all_that_was_previewed(runs: list[Run], lar: System, ada: User) -> None:
    seen = bulk_sign_off.preview(lar, "bulk", runs).seen
    rows = bulk_sign_off.sign_many(actor=ada, system=lar, stage="bulk", runs=runs[:2], seen=seen, comment="Week 20.")
    assert [(row.run.number, row.comment, row.by_name) for row in rows] == [
        (1, "Week 20.", "ada"),
        (2, "Week 20.", "ada"),
    ]
    assert AuditEvent.objects.get(code="review.sign_many").data["runs"] == [1, 2]


def test_it_signs_none_when_something_changed_meanwhile(runs: list[Run], lar: System, ada: User) -> None:
    seen = bulk_sign_off.preview(lar, "bulk", runs[:2]).seen
    defects.define_defects(actor=None, definitions=[NewDefect(name="LAR_X", system="LAR")])
    defects.record_entries(actor=None, entries=[NewEntry(run=2, defect="LAR_X", lumisections="1")], source="page")
    before = SignOff.objects.count()
    with pytest.raises(SigningChanged):
        bulk_sign_off.sign_many(actor=ada, system=lar, stage="bulk", runs=runs[:2], seen=seen)
    with pytest.raises(NotSignable):
        bulk_sign_off.sign_many(actor=ada, system=lar, stage="bulk", runs=runs[:3], seen=seen)
    assert SignOff.objects.count() == before


def test_who_may_not_sign_one_may_not_sign_many(runs: list[Run], lar: System, ben: User) -> None:
    seen = bulk_sign_off.preview(lar, "bulk", runs[:2]).seen
    with pytest.raises(NotAllowed, match="expert of LAR"):
        bulk_sign_off.sign_many(actor=ben, system=lar, stage="bulk", runs=runs[:2], seen=seen)


def post(client: Client, preview: Any, **changes: Any) -> Any:
    found = preview.context["preview"]
    body = {"seen": found.seen, "run": [each.run.number for each in found.can], "checklist": "0", "comment": ""}
    return client.post(ADDRESS, body | changes, follow=True)


def test_the_page_previews_and_signs(page: Page, runs: list[Run], ada: User) -> None:
    client = page(ada)
    assert "Choose a system and a stage." in client.get("/sign-offs/many/").content.decode()
    preview = client.get(ADDRESS)
    text = preview.content.decode()
    assert "2 runs can be signed" in text
    assert "Run 4 is still going on" in text
    assert "LAR bulk of 2 runs is signed." in post(client, preview).content.decode()
    assert "None of these runs can be signed now." in client.get(ADDRESS).content.decode()
    assert client.get("/sign-offs/many/?system=NOBODY").status_code == 400


def test_the_page_keeps_what_was_ticked_for_each_run(page: Page, runs: list[Run], ada: User, lar: System) -> None:
    checklists.write_checklist(actor=ada, system=lar, stage="bulk", points=["Noise", "HV"])
    client = page(ada)
    refused = post(client, client.get(ADDRESS), checklist="1", tick=["0"])
    assert refused.status_code == 409
    assert "Not ticked: “HV”" in refused.content.decode()
    post(client, client.get(ADDRESS), checklist="1", tick=["0", "1"])
    assert [row.ticked for row in SignOff.objects.filter(stage="bulk", run__number__lt=3)] == [[0, 1], [0, 1]]


def test_the_page_refuses_shifters_and_outsiders(page: Page, runs: list[Run], ben: User, dee: User) -> None:
    assert page(dee).get(ADDRESS).status_code == 403
    preview = page(ben).get(ADDRESS)
    assert "Signing off the bulk stage needs the role expert of LAR" in preview.content.decode()
    assert post(page(ben), preview).status_code == 403


def test_the_page_asks_little_of_the_database(
    page: Page, runs: list[Run], ada: User, django_assert_max_num_queries: Any
) -> None:
    client = page(ada)
    client.get(ADDRESS)
    with django_assert_max_num_queries(12):
        client.get(ADDRESS)
