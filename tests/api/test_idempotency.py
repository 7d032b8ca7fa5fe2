"""A POST with an Idempotency-Key has its effect once and its answer always."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from certifier.accounts import services
from certifier.accounts.models import Role, System, User
from certifier.api.models import IdempotencyRecord
from certifier.api.tasks import forget_idempotency_keys
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
SYSTEMS = "/api/v1/systems/"
LAR = {"code": "LAR", "name": "Liquid-argon calorimeter"}


def post(client: Any, body: Any, key: str = "key-1", **more: Any) -> Any:
    return client.post(SYSTEMS, body, format="json", headers={"Idempotency-Key": key}, **more)


def test_it_answers_the_first_answer_again(chi: User, api: Any) -> None:
    client = api(chi)
    first, second = post(client, LAR), post(client, LAR)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["Content-Type"] == second["Content-Type"]
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert System.objects.count() == AuditEvent.objects.filter(code="accounts.create_system").count() == 1


def test_it_answers_a_refusal_again(chi: User, lar: System, api: Any) -> None:
    client = api(chi)
    first = post(client, LAR)
    System.objects.all().delete()
    second = post(client, LAR)
    assert (first.status_code, second.status_code, second["Idempotent-Replayed"]) == (409, 409, "true")
    assert first.json() == second.json()
    assert not System.objects.exists()


def test_it_refuses_the_key_for_another_body_or_address(chi: User, api: Any) -> None:
    client = api(chi)
    post(client, LAR)
    for answer in (
        post(client, {"code": "TILE"}),
        client.post(SYSTEMS + "?x=1", LAR, format="json", headers={"Idempotency-Key": "key-1"}),
    ):
        assert answer.status_code == 409
        assert "another request" in answer.json()["detail"]
    assert System.objects.count() == 1


def test_it_keeps_the_keys_of_two_people_apart(chi: User, ova: User, api: Any) -> None:
    assert post(api(chi), LAR).status_code == 201
    assert post(api(ova), {"code": "TILE"}).status_code == 201


def test_it_does_nothing_without_a_key(chi: User, api: Any) -> None:
    client = api(chi)
    assert client.post(SYSTEMS, LAR, format="json").status_code == 201
    assert client.post(SYSTEMS, LAR, format="json").status_code == 409
    assert not IdempotencyRecord.objects.exists()


def test_it_leaves_other_methods_alone(chi: User, api: Any) -> None:
    client = api(chi)
    assert client.get(SYSTEMS, headers={"Idempotency-Key": "k"}).status_code == 200
    assert not IdempotencyRecord.objects.exists()


def test_it_tries_again_after_a_missing_role_was_granted(ben: User, api: Any) -> None:
    client = api(ben)
    assert post(client, LAR).status_code == 403
    assert not IdempotencyRecord.objects.exists()
    services.grant_role(actor=None, user=ben, role=Role.COORDINATOR)
    assert post(client, LAR).status_code == 201


def test_it_does_not_keep_what_nobody_sent(db: None, api: Any) -> None:
    assert post(api(None), LAR).status_code == 401
    assert not IdempotencyRecord.objects.exists()


def test_it_does_not_keep_a_fault_and_undoes_what_it_did(chi: User, api: Any, monkeypatch: Any) -> None:
    client, real = api(chi), services.create_system

    def half_done(**arguments: Any) -> System:
        real(**arguments)
        raise OperationalError("the disk is gone")

    monkeypatch.setattr(services, "create_system", half_done)
    assert post(client, LAR).status_code == 503
    assert not IdempotencyRecord.objects.exists()
    assert not System.objects.exists()
    monkeypatch.setattr(services, "create_system", real)
    answer = post(client, LAR)
    assert (answer.status_code, "Idempotent-Replayed" in answer) == (201, False)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "schlüssel", "a\tb", "\x7f"])
def test_it_refuses_a_key_that_is_none(chi: User, api: Any, key: str) -> None:
    answer = post(api(chi), LAR, key=key)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert not System.objects.exists()


def test_it_takes_a_session_too(chi: User, page: Any) -> None:
    browser = page(chi)
    for replayed in (False, True):
        answer = browser.post(SYSTEMS, LAR, content_type="application/json", headers={"Idempotency-Key": "k"})
        assert (answer.status_code, "Idempotent-Replayed" in answer) == (201, replayed)


def test_it_forgets_keys_after_a_week(chi: User, api: Any) -> None:
    post(api(chi), LAR, key="old")
    post(api(chi), {"code": "TILE"}, key="new")
    IdempotencyRecord.objects.filter(key="old").update(created_at=timezone.now() - timedelta(days=7, minutes=1))
    assert forget_idempotency_keys() == 1
    assert IdempotencyRecord.objects.get().key == "new"


def test_it_knows_a_file_again_whatever_the_boundary_of_its_form(chi: User, api: Any) -> None:
    client = api(chi)
    part = 'Content-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n{"1": [[1, 2]]}\r\n'
    answers = [
        client.post(
            "/api/v1/good-run-lists/import/",
            f"--{boundary}\r\n{part}--{boundary}--\r\n".encode(),
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Idempotency-Key": "file-1"},
        )
        for boundary in ("one", "another")
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[1]["Idempotent-Replayed"] == "true"
