"""Cursor pages: complete, in order, and not shaken by rows that come in between."""

from __future__ import annotations

import base64
import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from certifier.accounts import services
from certifier.accounts.models import System, User
from tests import cast

SYSTEMS = "/api/v1/systems/"


def make(codes: list[str], position: int = 100) -> None:
    System.objects.bulk_create(System(code=code, name=code, position=position) for code in codes)


def walk(client: Any, address: str | None, direction: str = "next") -> list[list[str]]:
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.content
        page = answer.json()
        pages.append([row["code"] for row in page["results"]])
        address = page[direction]
    return pages


@pytest.mark.django_db
def test_it_walks_all_rows_forwards_and_back(chi: User, api: Any) -> None:
    make([f"S{number:02}" for number in range(25)])
    client = api(chi)
    pages = walk(client, SYSTEMS + "?page_size=10")
    assert [len(page) for page in pages] == [10, 10, 5]
    assert list(chain.from_iterable(pages)) == [f"S{number:02}" for number in range(25)]
    last = client.get(client.get(client.get(SYSTEMS + "?page_size=10").json()["next"]).json()["next"]).json()
    back = [[row["code"] for row in last["results"]], *walk(client, last["previous"], "previous")]
    assert back == pages[::-1]


@pytest.mark.django_db
def test_it_says_null_where_there_is_no_further_page(chi: User, api: Any) -> None:
    assert api(chi).get(SYSTEMS).json() == {"next": None, "previous": None, "results": []}
    make(["A", "B"])
    page = api(chi).get(SYSTEMS + "?page_size=2").json()
    assert (page["next"], page["previous"]) == (None, None)


@pytest.mark.django_db
def test_it_shows_every_row_once_while_others_come_in(chi: User, api: Any) -> None:
    make([f"S{number:02}" for number in range(10, 30)])
    client, seen, address = api(chi), [], SYSTEMS + "?page_size=3"
    step = 0
    while address:
        page = client.get(address).json()
        seen += [row["code"] for row in page["results"]]
        address = page["next"]
        make([f"A{step}"])  # before everything that was read: an offset would shift and show a row twice
        step += 1
    assert [code for code in seen if code.startswith("S")] == [f"S{number:02}" for number in range(10, 30)]


@pytest.mark.django_db
def test_it_keeps_the_other_parameters_in_its_links(chi: User, api: Any) -> None:
    make(["A", "B", "C"])
    link = api(chi).get(SYSTEMS + "?page_size=1&x=%C3%A9").json()["next"]
    assert "page_size=1" in link
    assert "x=%C3%A9" in link
    assert link.startswith("http://testserver/api/v1/systems/?")


@pytest.mark.django_db
@pytest.mark.parametrize("size", ["0", "-1", "1001", "ten", "1e2", "", "٣", "9" * 400, "1.0", " 5"])
def test_it_refuses_a_page_size_out_of_bounds(chi: User, api: Any, size: str) -> None:
    answer = api(chi).get(SYSTEMS, {"page_size": size})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "page_size"


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "é",
        "A" * 5000,
        packed([]),
        packed({}),
        packed("n"),
        packed(["n"]),
        packed(["n", "1"]),
        packed(["n", "1", "A", "B"]),
        packed(["x", "1", "A"]),
        packed(["n", 1, "A"]),
        packed(["n", "one", "A"]),
        packed(["n", "99999999999999999999", "A"]),
        packed(["n", "1", "A\x00"]),
        packed(["n", "1", "A" * 100]),
        packed([["n"], "1", "A"]),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
    ],
    ids=range(19),
)
def test_it_refuses_a_cursor_that_it_did_not_write(chi: User, api: Any, cursor: str) -> None:
    answer = api(chi).get(SYSTEMS, {"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "cursor"


class EveryOrder(TestCase):
    """Pages of any size over rows that share their first key are the sorted rows, forwards and backwards."""

    @settings(max_examples=40)
    @given(
        rows=st.dictionaries(st.text("ABab_09", min_size=1, max_size=4), st.integers(0, 3), max_size=14),
        size=st.integers(1, 5),
    )
    def test_it_pages_as_sorting_does(self, rows: dict[str, int], size: int) -> None:
        rows = {code: rows[code] for code in {code.lower(): code for code in rows}.values()}
        System.objects.bulk_create(System(code=code, name=code, position=at) for code, at in rows.items())
        expected = list(System.objects.order_by("position", "code").values_list("code", flat=True))
        chi = cast.make_user("chi", "coordinator")
        _, key = services.create_token(actor=None, user=chi)
        self.client.defaults["HTTP_AUTHORIZATION"] = f"Token {key}"
        pages = walk(self.client, f"{SYSTEMS}?page_size={size}")
        assert list(chain.from_iterable(pages)) == expected
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
