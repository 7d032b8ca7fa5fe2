"""The form of answers: what is no number leaves as null, other formats than JSON are not insisted on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from certifier.accounts.models import User
from certifier.api.renderers import JSONRenderer
from certifier.lumi import LumiSet


def rendered(data: object) -> Any:
    text = JSONRenderer().render(data).decode()
    assert "NaN" not in text
    assert "Infinity" not in text
    return json.loads(text)


def test_it_writes_null_for_nan_and_the_infinities() -> None:
    data = {"a": [1.5, float("nan"), float("inf")], "b": {"c": (-float("inf"),)}, "d": np.array([1.0, np.nan])}
    assert rendered(data) == {"a": [1.5, None, None], "b": {"c": [None]}, "d": [1.0, None]}


def test_it_writes_lumisections_as_text_and_times_in_utc() -> None:
    data = {"lumisections": LumiSet.parse("1-4 9"), "at": datetime(2026, 3, 1, 12, tzinfo=UTC), "n": np.int64(3)}
    assert rendered(data) == {"lumisections": "1-4 9", "at": "2026-03-01T12:00:00Z", "n": 3}


def test_it_writes_compactly_and_in_utf8() -> None:
    assert JSONRenderer().render({"a": [1, 2], "b": "é"}) == '{"a":[1,2],"b":"é"}'.encode()


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["application/xml", "text/html", "application/json", "*/*", "nonsense", ""])
def test_it_answers_json_whatever_is_accepted(chi: User, api: Any, accept: str) -> None:
    answer = api(chi).get("/api/v1/systems/", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
