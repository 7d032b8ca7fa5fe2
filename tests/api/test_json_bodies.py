"""What a JSON body may not be; each refusal is a 400 that names the place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings

from certifier.accounts.models import System, User

pytestmark = pytest.mark.django_db
SYSTEMS = "/api/v1/systems/"
DEEP = 100_000


def refused(client: Any, body: bytes) -> str:
    answer = client.post(SYSTEMS, body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    errors = answer.json()["errors"]
    assert not System.objects.exists()
    return str(errors[0]["message"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code": "A", "code": "B"}', "“code” stands twice"),
        (b'{"code": "A", "name": {"a": 1, "a": 2}}', "“a” stands twice"),
        (b'{"code": "A"', "line 1, column 13"),
        (b'{\n"code": }', "line 2, column 9"),
        (b'{"code": "A"} {}', "Extra data"),
        (b"", "required"),
        (b"nonsense", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"LAR"', "must be a JSON object"),
        (b'{"code": NaN}', "NaN is not JSON"),
        (b'{"code": Infinity}', "Infinity is not JSON"),
        (b'{"code": -Infinity}', "-Infinity is not JSON"),
        (b'{"code": 1e999}', "too large"),
        (b'{"code": -1e999}', "too large"),
        (b'{"code": 9223372036854775808}', "too large"),
        (b'{"code": ' + b"9" * 10_000 + b"}", "too large"),
        (b'{"code": "\xff\xfe"}', "not UTF-8: byte 11"),
        (b'{"code": "A\\u0000"}', "NUL"),
        (b'{"code": "A", "x\\u0000": 1}', "NUL"),
        (b'{"code": "\\ud800"}', "surrogate"),
        (b'{"code": "A\x00"}', "not JSON"),
        (b'{"code": ' + b"[" * DEEP + b"]" * DEEP + b"}", "nested"),
        (b'{"code":' * DEEP + b"1" + b"}" * DEEP, "nested"),
        (b'{"code": ' + b"[" * 40 + b"]" * 40 + b"}", "nested"),
    ],
    ids=range(25),
)
def test_it_refuses_what_is_not_one_plain_json_object(chi: User, api: Any, body: bytes, words: str) -> None:
    assert words in refused(api(chi), body)


def test_it_takes_pairs_of_surrogates_and_many_brackets(chi: User, api: Any) -> None:
    name = "calorimeter \U0001f600" + "[{" * 40
    body = json.dumps({"code": "LAR", "name": name})
    assert "\\ud83d" in body
    answer = api(chi).post(SYSTEMS, body, content_type="application/json")
    assert (answer.status_code, answer.json()["name"]) == (201, name)


def test_it_takes_a_byte_order_mark(chi: User, api: Any) -> None:
    assert api(chi).post(SYSTEMS, b'\xef\xbb\xbf{"code": "A"}', content_type="application/json").status_code == 201


def test_it_answers_413_to_a_body_beyond_the_limit(chi: User, api: Any, settings: LazySettings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = api(chi).post(SYSTEMS, b'{"code": "' + b"A" * 1000 + b'"}', content_type="application/json")
    assert answer.status_code == 413
    assert "1,000" in answer.json()["detail"]
    assert not System.objects.exists()


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense"])
def test_it_answers_415_to_another_content_type(chi: User, api: Any, kind: str) -> None:
    answer = api(chi).post(SYSTEMS, b"<code/>", content_type=kind)
    assert answer.status_code == 415
    assert set(answer.json()) == {"detail"}
