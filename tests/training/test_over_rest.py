"""Trainings over REST: asked for by coordinators, read by everybody with a role."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import System, User
from certifier.ops.models import Job
from tests.training import world

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
PATH = "/api/v1/trainings/"


def test_a_training_is_a_job(api: Api, lar: System, chi: User) -> None:
    answer = api(chi).post(PATH, {"system": "lar"}, format="json")
    assert answer.status_code == 202, answer.content
    job = Job.objects.get()
    assert answer.json() == {"job": job.pk}
    assert (job.kind, job.queue, job.arguments, job.requested_by) == ("training.train", "train", {"system": "LAR"}, chi)


def test_who_asks_twice_gets_the_same_job(api: Api, lar: System, pixel: System, chi: User) -> None:
    first = api(chi).post(PATH, {"system": "LAR"}, format="json").json()
    assert api(chi).post(PATH, {"system": "LAR"}, format="json").json() == first
    assert api(chi).post(PATH, {"system": "PIXEL"}, format="json").json() != first
    assert Job.objects.count() == 2


def test_an_idempotency_key_answers_the_same(api: Api, lar: System, chi: User) -> None:
    client = api(chi)
    first = client.post(PATH, {"system": "LAR"}, format="json", HTTP_IDEMPOTENCY_KEY="monday")
    Job.objects.update(state="done")
    again = client.post(PATH, {"system": "LAR"}, format="json", HTTP_IDEMPOTENCY_KEY="monday")
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (202, first.json(), "true")
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"system": "LAX"}, "There is no system “LAX”"),
        ({"system": 5}, "Send a text."),
        ({}, "required"),
        ({"system": "LAR", "week": "x"}, "There is no such field."),
        ([], "must be a JSON object"),
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, lar: System, chi: User, body: object, told: str) -> None:
    answer = api(chi).post(PATH, body, format="json")
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(api: Api, lar: System, name: str, request: pytest.FixtureRequest) -> None:
    answer = api(request.getfixturevalue(name)).post(PATH, {"system": "LAR"}, format="json")
    assert answer.status_code == 403
    assert not Job.objects.exists()


def test_nobody_is_asked_to_sign_in(api: Api, lar: System) -> None:
    assert api(None).post(PATH, {"system": "LAR"}, format="json").status_code == 401
    assert api(None).get(PATH).status_code == 401


def test_what_came_of_them_can_be_read(api: Api, lar: System, ben: User) -> None:
    world.season(lar, 3)
    row = world.train(lar)
    found = api(ben).get(PATH, {"system": "LAR", "outcome": "too-few"}).json()["results"]
    assert [(each["id"], each["number"], each["outcome"]) for each in found] == [(row.pk, 1, "too-few")]
    one = api(ben).get(f"{PATH}{row.pk}/").json()
    assert "3 runs with histograms; 6 are needed" in one["words"]
    assert one["labels"] == {"sign-off": {"good": 57, "bad": 15}}
    assert (one["champion"], one["challenger"], one["job"], one["by"]) == (None, None, None, "system")
    assert api(ben).get(PATH, {"outcome": "promoted"}).json()["results"] == []
    assert api(ben).get(f"{PATH}{row.pk + 1}/").status_code == 404
