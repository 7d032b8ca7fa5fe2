"""A Certifier that follows another: what REST says of a run there, it says here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.runs import services as runs
from certifier.runs.models import Run
from certifier.sync import services
from certifier.sync.models import Cursor
from certifier.sync.sources import Source
from tests.sync.answering import Refusal, answering

pytestmark = pytest.mark.django_db
# What each keeps for itself.
OWN = ("version", "updated_at")


def make_runs() -> None:
    for number in (359918, 359920):
        facts = {"lumisections": 60, "project": "data18", "fill": 7314, "attributes": {"b_field": 3.8}}
        runs.put_run(actor=None, run=number, facts=facts)
    columns = {"recorded_inv_nb": [1.5] * 59 + [None], "started_at": ["2018-05-01T10:00:00Z"] + [None] * 59}
    runs.put_lumisections(actor=None, run=359918, columns=columns, flags={"stable_beams": "12-50"})
    runs.put_run(actor=None, run=359918, facts={"period": "B"})


def recorded(api: APIClient) -> dict[str, Any]:
    """Every answer of the other side that a reader may ask for."""
    found = {"/changes/": api.get("/api/v1/changes/?limit=1000").json()}
    for number in (359918, 359920):
        for path in (f"/runs/{number}/", f"/runs/{number}/lumisections/"):
            found[path] = api.get(f"/api/v1{path}").json()
    return found


def the_other_side(api: APIClient) -> dict[str, Any]:
    """What another Certifier would answer: made here, asked, and taken back."""
    with transaction.atomic():
        make_runs()
        found = recorded(api)
        transaction.set_rollback(True)
    return found


def test_runs_and_lumisections_are_those_of_the_other(api: Callable[[User], APIClient], chi: User) -> None:
    there = the_other_side(api(chi))
    assert not Run.objects.exists()
    last = there["/changes/"]["next"]

    def answer(path: str, query: dict[str, str], body: Any) -> Any:
        if path == "/changes/" and int(query["after"]) >= last:
            return {"changes": [], "next": last}
        return there.get(path, Refusal(404))

    source = Source("other", "certifier", "", "secret")
    with answering(answer) as server:
        source = Source("other", "certifier", server.address, "secret")
        row = services.follow(actor=chi, source=source, progress=lambda *_: None)
        again = services.follow(actor=chi, source=source, progress=lambda *_: None)
    assert row.counts["runs_created"] == 2
    assert again.counts == {}
    assert Cursor.objects.get().value == {"after": last}
    assert server.headers[0]["Authorization"] == "Token secret"
    here = recorded(api(chi))
    for path, said in there.items():
        if path.startswith("/runs/"):
            assert {name: value for name, value in here[path].items() if name not in OWN} == {
                name: value for name, value in said.items() if name not in OWN
            }
