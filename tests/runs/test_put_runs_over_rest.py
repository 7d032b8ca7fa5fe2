"""PUT, GET and POST of runs: upserts with versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.runs.models import Change, Run

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]

RUN = {
    "lumisections": 728,
    "project": "data18_13TeV",
    "period": "K",
    "fill": 7314,
    "started_at": "2018-08-27T10:00:00Z",
    "ended_at": "2018-08-27T13:10:00Z",
    "beam": "pp",
    "energy_gev": 6500.0,
    "attributes": {"l1_key": "v12", "ready": True, "triggers": 163153041},
}


def put(client: APIClient, run: int, body: dict[str, Any], **headers: str) -> Any:
    return client.put(f"/api/v1/runs/{run}/", body, format="json", headers=headers)


def test_it_creates_a_run_and_gives_it_back(api: Api, chi: User) -> None:
    client = api(chi)
    created = put(client, 359918, RUN)
    assert created.status_code == 201
    assert created["ETag"] == '"1"'
    body = created.json()
    assert {key: body[key] for key in RUN} == RUN
    assert body["run"] == 359918
    assert body["version"] == 1
    assert client.get("/api/v1/runs/359918/").json() == body


def test_it_leaves_an_equal_put_without_a_trace(api: Api, chi: User) -> None:
    client = api(chi)
    first = put(client, 359918, RUN).json()
    events, changes = AuditEvent.objects.count(), Change.objects.count()
    again = put(client, 359918, {**RUN, "energy_gev": 6500, "started_at": "2018-08-27T12:00:00+02:00"})
    assert again.status_code == 200
    assert again.json() == first
    assert (AuditEvent.objects.count(), Change.objects.count()) == (events, changes)


def test_it_takes_back_what_it_answered(api: Api, chi: User) -> None:
    client = api(chi)
    body = put(client, 359918, RUN).json()
    again = put(client, 359918, body)
    assert again.status_code == 200
    assert again.json() == body


def test_it_raises_the_version_and_tells_the_feed_what_changed(api: Api, chi: User) -> None:
    client = api(chi)
    put(client, 359918, RUN)
    answer = put(client, 359918, {"period": "L"})
    assert answer.status_code == 200
    assert answer["ETag"] == '"2"'
    assert answer.json() | {"period": "K", "version": 1, "updated_at": 0} == client.get(
        "/api/v1/runs/359918/"
    ).json() | {
        "period": "K",
        "version": 1,
        "updated_at": 0,
    }
    change = Change.objects.order_by("-sequence")[0]
    assert (change.kind, change.run, change.by) == ("runs.run", 359918, "chi")
    assert change.data == {"outcome": "updated", "version": 2, "changed": ["period"]}
    event = AuditEvent.objects.order_by("-id")[0]
    assert (event.code, event.subject, event.data["changed"]) == ("runs.put_run", "run 359918", {"period": ["K", "L"]})


def test_it_keeps_fields_left_out_and_takes_null_as_unknown(api: Api, chi: User) -> None:
    client = api(chi)
    put(client, 359918, RUN)
    body = put(client, 359918, {"fill": None, "beam": None}).json()
    assert (body["fill"], body["beam"], body["project"], body["lumisections"]) == (None, "", "data18_13TeV", 728)


def test_it_reads_the_lumisections_of_a_run_as_text_too(api: Api, chi: User) -> None:
    assert put(api(chi), 5, {"lumisections": "1-4 9 20-728"}).json()["lumisections"] == 728


def test_it_tells_true_from_one_in_attributes(api: Api, chi: User) -> None:
    client = api(chi)
    put(client, 5, {"attributes": {"magnet": True}})
    assert put(client, 5, {"attributes": {"magnet": 1}}).json()["attributes"] == {"magnet": 1}
    assert put(client, 5, {"attributes": {"magnet": 1.0}}).json()["version"] == 2


def test_it_knows_large_attribute_numbers_again(api: Api, chi: User) -> None:
    client = api(chi)
    put(client, 5, {"attributes": {"huge": 1.5e300, "tiny": 1.5e-300}})
    assert put(client, 5, {"attributes": {"huge": 1.5e300, "tiny": 1.5e-300}}).json()["version"] == 1


def test_it_refuses_a_stale_version_with_412(api: Api, chi: User) -> None:
    client = api(chi)
    put(client, 5, {"period": "A"})
    put(client, 5, {"period": "B"})
    stale = put(client, 5, {"period": "C"}, **{"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json() == {"detail": "Run 5 is at version 2 now. Read it again, then repeat what is still needed."}
    assert Run.objects.get(number=5).period == "B"
    assert put(client, 5, {"period": "C"}, **{"If-Match": '"2"'}).status_code == 200
    assert put(client, 5, {"period": "D"}, **{"If-Match": "*"}).status_code == 200


def test_it_refuses_any_version_of_a_run_that_does_not_exist(api: Api, chi: User) -> None:
    for tag in ('"1"', "*"):
        assert put(api(chi), 5, {}, **{"If-Match": tag}).status_code == 412
    assert not Run.objects.exists()


def test_it_refuses_an_if_match_that_is_no_version(api: Api, chi: User) -> None:
    answer = put(api(chi), 5, {}, **{"If-Match": "1"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "If-Match"


def test_it_answers_404_for_a_run_that_does_not_exist(api: Api, chi: User) -> None:
    for number in (5, 0, 2**31, 10**30):
        assert api(chi).get(f"/api/v1/runs/{number}/").status_code == 404


def test_it_lets_viewers_read_and_only_coordinators_write(api: Api, chi: User, ben: User, ada: User, dee: User) -> None:
    put(api(chi), 5, {"period": "A"})
    for person in (ben, ada):
        assert api(person).get("/api/v1/runs/5/").status_code == 200
        refused = put(api(person), 5, {"period": "B"})
        assert refused.status_code == 403
        assert "coordinator" in refused.json()["detail"]
        assert api(person).post("/api/v1/runs/bulk/", {"runs": []}, format="json").status_code == 403
        assert api(person).put("/api/v1/runs/5/lumisections/", {"pileup": [1]}, format="json").status_code == 403
    assert api(dee).get("/api/v1/runs/5/").status_code == 403
    assert api(None).get("/api/v1/runs/5/").status_code == 401
    assert Run.objects.get().period == "A"
