"""Good-run lists over REST, in the shapes of the contract."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.defects import services as defects
from certifier.goodruns.models import GoodRunList
from certifier.runs import services as runs
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
LISTS = "/api/v1/good-run-lists/"


@pytest.fixture(autouse=True)
def defined() -> None:
    world.make_defects()
    world.make_run(358031, 10, recorded=[1.0] * 10)
    world.make_run(358032, 5)
    world.record(358031, "LAR_HVTRIP", "3-5", recoverable=True)
    world.sign(358031, "PIXEL", "LAR")


@pytest.fixture
def client(api: Api, chi: User) -> APIClient:
    return api(chi)


def build(client: APIClient, **changes: Any) -> Any:
    body = {"name": "first", "require": [REQUIRED], "runs": "358031-364292", "signed_off": True} | changes
    return client.post(LISTS, body, format="json")


def test_it_builds_a_list(client: APIClient) -> None:
    answer = build(client)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["runs"], body["lumisections"]) == ("first", 1, 7)
    assert body["recorded_inv_nb"] == pytest.approx(7.0)
    assert body["recorded_lumisections"] == 7
    assert (body["origin"], body["tag"], body["require"]) == ("built", None, [REQUIRED])
    assert (body["run_selection"], body["signed_off"], body["created_by"]) == ("358031-364292", True, "chi")
    assert body["provenance"]["left_out"] == [
        {"run": 358032, "reason": "not signed off: LAR, PIXEL", "unsigned": ["LAR", "PIXEL"]}
    ]
    assert client.get(f"{LISTS}{body['id']}/").json() == body


def test_it_answers_the_same_list_when_asked_again(client: APIClient) -> None:
    first, again = build(client), build(client)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert build(client, signed_off=False).status_code == 409


def test_it_fails_closed_unless_told_otherwise(client: APIClient) -> None:
    answer = client.post(LISTS, {"name": "short", "require": [REQUIRED]}, format="json")
    assert answer.json()["lumisections"] == 7


def test_it_builds_at_a_tag(client: APIClient) -> None:
    defects.create_tag(actor=None, name="pro01")
    world.record(358031, "LAR_HVTRIP", "9")
    assert build(client, tag="PRO01").json()["lumisections"] == 7
    assert build(client, tag="HEAD", name="now").json()["lumisections"] == 6
    assert GoodRunList.objects.get(name="first").tag is not None


def test_it_previews_without_publishing(client: APIClient) -> None:
    body = {"name": "first", "require": [REQUIRED]}
    answer = client.post(f"{LISTS}preview/", body, format="json")
    assert answer.status_code == 200
    assert (answer.json()["runs"], answer.json()["lumisections"]) == (1, 7)
    assert answer.json()["sha256"] == build(client).json()["sha256"]
    assert GoodRunList.objects.count() == 1


def test_it_serves_the_bytes_whose_digest_it_names(client: APIClient) -> None:
    body = build(client).json()
    answer = client.get(f"{LISTS}{body['id']}/golden.json")
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == 'attachment; filename="first.json"'
    assert answer.content == b'{"358031": [[1, 2], [6, 10]]}'
    assert hashlib.sha256(answer.content).hexdigest() == body["sha256"]
    assert answer["ETag"] == f'"{body["sha256"]}"'
    again = client.get(f"{LISTS}{body['id']}/golden.json", HTTP_IF_NONE_MATCH=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_it_serves_grl_xml_that_comes_back_as_it_was(client: APIClient) -> None:
    key = build(client).json()["id"]
    answer = client.get(f"{LISTS}{key}/grl.xml")
    assert answer["Content-Type"] == "application/xml"
    text = answer.content.decode()
    assert "<Run>358031</Run>" in text
    assert '<LBRange Start="6" End="10"/>' in text
    assert f"absent {REQUIRED}" in text
    imported = upload(client, answer.content, name="again")
    assert imported.status_code == 201
    assert imported.json()["sha256"] == client.get(f"{LISTS}{key}/").json()["sha256"]
    assert client.get(f"{LISTS}{imported.json()['id']}/grl.xml").content == answer.content


def test_it_serves_csv(client: APIClient) -> None:
    key = build(client).json()["id"]
    answer = client.get(f"{LISTS}{key}/csv")
    assert answer["Content-Type"] == "text/csv"
    assert answer.content == b"run,first,last\n358031,1,2\n358031,6,10\n"


def test_it_tells_the_loss(client: APIClient) -> None:
    key = build(client).json()["id"]
    body = client.get(f"{LISTS}{key}/loss/").json()
    assert body["selected"]["lumisections"] == 15
    assert body["lost"]["lumisections"] == 8
    lar, *others = body["systems"]
    assert others == []
    assert (lar["system"], lar["lumisections"], lar["not_signed_off"]["lumisections"]) == ("LAR", 8, 5)
    (trip,) = lar["defects"]
    assert (trip["defect"], trip["lumisections"], trip["recorded_inv_nb"]) == ("LAR_HVTRIP", 3, pytest.approx(3.0))
    assert trip["recoverable"]["lumisections"] == 3
    assert sum(system["lumisections"] for system in body["systems"]) == body["lost"]["lumisections"]
    ready = client.get(f"{LISTS}{key}/loss/?flag=stable_beams").json()
    assert (ready["selected"]["lumisections"], ready["runs_without_flags"]) == (0, 2)


def test_it_compares_two_lists(client: APIClient) -> None:
    first = build(client).json()["id"]
    second = upload(client, b'{"358031": [[2, 7]], "358040": [[1, 4]]}', name="other").json()["id"]
    body = client.get(f"{LISTS}{first}/diff/{second}/").json()
    assert [(run["run"], run["only_first"], run["only_second"]) for run in body["runs"]] == [
        (358031, "1 8-10", "3-5"),
        (358040, "", "1-4"),
    ]
    assert (body["first"]["lumisections"], body["second"]["lumisections"]) == (4, 7)
    assert body["first"]["recorded_inv_nb"] == pytest.approx(4.0)
    within = client.get(f"{LISTS}{first}/diff/{second}/?runs=358031").json()
    assert within["second"]["lumisections"] == 3
    assert client.get(f"{LISTS}{first}/diff/{second}/?runs=x").status_code == 400


def upload(client: APIClient, data: bytes, **fields: Any) -> Any:
    return client.post(f"{LISTS}import/", {"file": SimpleUploadedFile("some.json", data), **fields}, format="multipart")


def test_it_imports_a_file(client: APIClient) -> None:
    answer = upload(client, b'{"2": [[1, 4]], "1": [[5, 9], [1, 6]]}')
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["origin"], body["lumisections"]) == ("some", "imported", 13)
    assert body["provenance"]["source"] == "some.json"
    assert len(body["provenance"]["remarks"]) == 2
    assert upload(client, b'{"1": [[1, 9]], "2": [[1, 4]]}').status_code == 200
    assert upload(client, b'{"1": [[1, 8]]}').status_code == 409


@pytest.mark.parametrize(
    ("operation", "content"),
    [
        ("and", {"1": [[3, 4]]}),
        ("or", {"1": [[1, 6]], "2": [[1, 1]]}),
        ("minus", {"1": [[1, 2]]}),
        ("xor", {"1": [[1, 2], [5, 6]], "2": [[1, 1]]}),
    ],
)
def test_it_combines_lists(client: APIClient, operation: str, content: dict[str, Any]) -> None:
    ids = [
        upload(client, json.dumps(each).encode(), name=name).json()["id"]
        for name, each in (("one", {"1": [[1, 4]]}), ("two", {"1": [[3, 6]], "2": [[1, 1]]}))
    ]
    body = {"operation": operation, "lists": ids, "name": "both"}
    answer = client.post(f"{LISTS}combine/", body, format="json")
    assert answer.status_code == 201
    key = answer.json()["id"]
    assert client.get(f"{LISTS}{key}/golden.json").json() == content
    assert [parent["id"] for parent in answer.json()["provenance"]["parents"]] == ids
    assert client.post(f"{LISTS}combine/", body, format="json").status_code == 200


def test_it_lists_lists_in_pages(client: APIClient) -> None:
    for place in range(3):
        upload(client, b'{"1": [[1, 4]]}', name=f"list {place}")
    page = client.get(f"{LISTS}?page_size=2").json()
    assert [each["name"] for each in page["results"]] == ["list 2", "list 1"]
    assert "provenance" not in page["results"][0]
    assert [each["name"] for each in client.get(page["next"]).json()["results"]] == ["list 0"]
    assert len(client.get(f"{LISTS}?name=list 1").json()["results"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "17"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"require": []}, "require"),
        ({"require": REQUIRED}, "require"),
        ({"require": [5]}, "require"),
        ({"require": ["LAR_HVTRIP"]}, "require"),
        ({"require": ["NOSUCH"]}, "require"),
        ({"ignore": ["NOSUCH"]}, "ignore"),
        ({"tag": "nosuch"}, "tag"),
        ({"tag": 5}, "tag"),
        ({"runs": "9-1"}, "runs"),
        ({"runs": 358031}, "runs"),
        ({"signed_off": "yes"}, "signed_off"),
        ({"signed_off": 1}, "signed_off"),
        ({"stage": "prompt"}, "stage"),
        ({"requires": []}, "requires"),
    ],
)
def test_it_names_the_field_that_is_wrong(client: APIClient, changes: dict[str, Any], field: str) -> None:
    answer = build(client, **changes)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert not GoodRunList.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "index"),
    [
        ({"operation": "nand"}, "operation", None),
        ({"lists": [1]}, "lists", None),
        ({"lists": [10**6, 10**6 + 1]}, "lists", 0),
        ({"lists": ["1", "2"]}, "lists", 0),
        ({"name": ""}, "name", None),
    ],
)
def test_it_names_what_cannot_be_combined(
    client: APIClient, changes: dict[str, Any], field: str, index: int | None
) -> None:
    body = {"operation": "and", "lists": [1, 2], "name": "both"} | changes
    answer = client.post(f"{LISTS}combine/", body, format="json")
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert (error["field"], error.get("index")) == (field, index)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b'{"1": [[1, 2]], "1": [[3, 4]]}', "stands there twice"),
        (b'{"1": [[1, 2', "half a file"),
        (b"<html></html>", "begins with <LumiRangeCollection>"),
        (b'<!DOCTYPE x [<!ENTITY y "z">]><LumiRangeCollection>&y;</LumiRangeCollection>', "not expanded"),
        (b"hello", "no good-run list"),
        (b"\xff\xfe\x00", "UTF-16"),
    ],
)
def test_it_names_what_is_wrong_with_a_file(client: APIClient, data: bytes, words: str) -> None:
    answer = upload(client, data)
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert error["field"] == "file"
    assert words in error["message"]
    assert not GoodRunList.objects.exists()


def test_it_refuses_a_file_of_50_megabytes(client: APIClient) -> None:
    answer = upload(client, b"1" * 50_000_000)
    assert answer.status_code == 413
    assert "detail" in answer.json()


def test_it_wants_a_file(client: APIClient) -> None:
    answer = client.post(f"{LISTS}import/", {"name": "x"}, format="multipart")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "file"
    assert upload(client, b"1\n", names="x").json()["errors"][0]["field"] == "names"


@pytest.mark.parametrize("address", ["7/", "7/golden.json", "7/grl.xml", "7/csv", "7/loss/", "7/diff/8/", f"{10**30}/"])
def test_it_does_not_know_every_list(client: APIClient, address: str) -> None:
    answer = client.get(LISTS + address)
    assert answer.status_code == 404
    assert "There is no good-run list" in answer.json()["detail"]


def test_it_lets_only_coordinators_publish(api: Api, ben: User, dee: User, chi: User) -> None:
    ids = [upload(api(chi), b'{"1": [[1, 2]]}', name=name).json()["id"] for name in ("a", "b")]
    for who, status in ((None, 401), (dee, 403), (ben, 403)):
        client = api(who)
        combine = {"operation": "and", "lists": ids, "name": "x"}
        assert build(client).status_code == status
        assert client.post(f"{LISTS}combine/", combine, format="json").status_code == status
        assert upload(client, b'{"1": [[1, 2]]}', name="x").status_code == status
    assert GoodRunList.objects.count() == 2


def test_it_has_todays_luminosity(client: APIClient) -> None:
    key = build(client, signed_off=False).json()["id"]
    runs.put_lumisections(actor=None, run=358032, columns={"recorded_inv_nb": [2.0] * 5})
    body = client.get(f"{LISTS}{key}/").json()
    assert body["recorded_inv_nb"] == pytest.approx(17.0)
    assert body["when_published"]["recorded_inv_nb"] == pytest.approx(7.0)
    assert body["when_published"]["recorded_lumisections"] == 7
