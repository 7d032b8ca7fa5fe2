"""A number in an address that no run can have is refused like one in a body, and creates nothing."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import User
from certifier.runs.models import Run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("number", ["0", "00", "2147483648", "9223372036854775808", "9" * 30])
def test_it_puts_no_run_of_such_a_number(chi: User, api: Any, number: str) -> None:
    answer = api(chi).put(f"/api/v1/runs/{number}/", {}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "run"
    assert not Run.objects.exists()


@pytest.mark.parametrize("number", ["0", "2147483648", "9223372036854775808", "9" * 30])
@pytest.mark.parametrize("below", ["", "lumisections/", "defects/", "defects/history/", "sign-offs/"])
def test_it_finds_no_run_of_such_a_number(chi: User, api: Any, number: str, below: str) -> None:
    answer = api(chi).get(f"/api/v1/runs/{number}/{below}")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


@pytest.mark.parametrize("number", ["-1", "1.0", "1e5", "one", "٣", "%20"])
def test_it_has_no_address_for_what_is_no_number(chi: User, api: Any, number: str) -> None:
    assert api(chi).get(f"/api/v1/runs/{number}/").status_code == 404


@pytest.mark.parametrize("below", ["", "golden.json", "grl.xml", "csv", "loss/", "diff/1/"])
@pytest.mark.parametrize("number", ["0", "2147483648", "9223372036854775808", "9" * 30])
def test_it_finds_no_list_of_such_a_number(chi: User, api: Any, number: str, below: str) -> None:
    answer = api(chi).get(f"/api/v1/good-run-lists/{number}/{below}")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "9" * 30])
def test_it_finds_no_job_of_such_a_number(chi: User, api: Any, number: str) -> None:
    assert api(chi).get(f"/api/v1/jobs/{number}/").status_code == 404
