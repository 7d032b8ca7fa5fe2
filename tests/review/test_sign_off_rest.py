"""Sign-off over REST, in the shapes of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import System, User
from certifier.review.models import SignOff
from certifier.runs.models import Run

Api = Callable[[User | None], APIClient]
ADDRESS = "/api/v1/sign-offs/"


def act(client: APIClient, **changes: Any) -> Any:
    body = {"run": 350479, "system": "LAR", "stage": "express", "action": "sign", "comment": ""} | changes
    return client.post(ADDRESS, body, format="json")


def test_it_signs_and_tells_the_state(
    api: Api, make_run: Callable[..., Run], lar: System, pixel: System, ada: User
) -> None:
    make_run(350479)
    client = api(ada)
    answer = act(client, comment="all good")
    assert answer.status_code == 201
    row = answer.json()
    assert (row["run"], row["system"], row["stage"], row["action"], row["by"], row["comment"]) == (
        350479,
        "LAR",
        "express",
        "sign",
        "ada",
        "all good",
    )
    state = client.get("/api/v1/runs/350479/sign-offs/").json()
    assert state["run"] == 350479
    systems = {system["system"]: system for system in state["systems"]}
    assert systems["LAR"]["signed"] is True
    assert [stage["state"] for stage in systems["LAR"]["stages"]] == ["signed", "unchecked", "unchecked"]
    assert systems["LAR"]["stages"][2]["blocked_by"] == [
        "The bulk stage of LAR is unchecked; it is signed before the final stage."
    ]
    assert systems["PIXEL"]["signed"] is False


def test_it_answers_409_with_the_reasons(api: Api, make_run: Callable[..., Run], lar: System, ada: User) -> None:
    make_run(350479)
    answer = act(api(ada), stage="bulk")
    assert answer.status_code == 409
    assert "express stage of LAR is unchecked" in answer.json()["detail"]


def test_it_says_what_was_reopened_with_it(api: Api, make_run: Callable[..., Run], lar: System, chi: User) -> None:
    make_run(350479)
    client = api(chi)
    for stage in ("express", "bulk"):
        act(client, stage=stage)
    answer = act(client, action="reopen", comment="HV trip seen")
    assert answer.status_code == 201
    assert answer.json()["also_reopened"] == ["bulk"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stage": "prompt"}, "stage"),
        ({"stage": 1}, "stage"),
        ({"run": "350479"}, "run"),
        ({"run": True}, "run"),
        ({"run": 0}, "run"),
        ({"run": 2**40}, "run"),
        ({"run": 999}, "run"),
        ({"system": "NOSUCH"}, "system"),
        ({"system": 5}, "system"),
        ({"action": "delete"}, "action"),
        ({"comment": 5}, "comment"),
        ({"comment": "x" * 2001}, "comment"),
        ({"action": "reopen"}, "comment"),
        ({"stages": "express"}, "stages"),
    ],
)
def test_it_names_the_field_that_is_wrong(
    *, api: Api, make_run: Callable[..., Run], lar: System, chi: User, changes: dict[str, Any], field: str
) -> None:
    make_run(350479)
    answer = act(api(chi), **changes)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert not SignOff.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("dee", 403), ("ben", 403)])
def test_it_refuses_who_may_not(
    *,
    api: Api,
    make_run: Callable[..., Run],
    lar: System,
    dee: User,
    ben: User,
    chi: User,
    who: str,
    status: int,
) -> None:
    make_run(350479)
    act(api(chi))
    client = api({"nobody": None, "dee": dee, "ben": ben}[who])
    assert act(client, stage="bulk").status_code == status


def test_it_does_not_know_every_run(api: Api, chi: User) -> None:
    assert api(chi).get("/api/v1/runs/5/sign-offs/").status_code == 404
    assert api(chi).get(f"/api/v1/runs/{10**30}/sign-offs/").status_code == 404


def test_it_finds_a_system_whatever_its_case(api: Api, make_run: Callable[..., Run], lar: System, ada: User) -> None:
    make_run(350479)
    assert act(api(ada), system="lar").json()["system"] == "LAR"
