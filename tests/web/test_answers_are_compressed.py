"""Whoever takes compressed answers gets them: pages, REST, and what pages are made of. Others get them plain."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import pytest
from django.http import HttpResponseBase
from django.test import Client

from certifier.accounts.models import User

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
TAKES_GZIP = {"Accept-Encoding": "gzip, deflate"}
PLOT_KB, PLAIN_KB = 600, 120


def body(answer: HttpResponseBase) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["/", "/api/v1/systems/", "/static/vendor/plotly/plotly-cartesian.min.js"])
def test_it_is_the_same_and_smaller(page: Page, ben: User, systems: object, address: str) -> None:
    client = page(ben)
    plain, packed = client.get(address), client.get(address, headers=TAKES_GZIP)
    assert plain.status_code == packed.status_code == 200
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    whole, small = body(plain), body(packed)
    assert len(small) < len(whole)
    # The mask of a CSRF token differs from answer to answer.
    mask = re.compile(rb"[A-Za-z0-9]{64}")
    assert mask.sub(b"", gzip.decompress(small)) == mask.sub(b"", whole)


def test_home_with_all_that_it_loads_is_light(page: Page, ben: User, systems: object) -> None:
    client = page(ben)
    answer = client.get("/", headers=TAKES_GZIP)
    text = gzip.decompress(body(answer)).decode()
    parts = set(re.findall(r'(?:src|href|data-plotly)="(/static/[^"]+)"', text))
    sizes = {part: len(body(client.get(part, headers=TAKES_GZIP))) for part in parts}
    assert len(parts) > 5
    plot = sum(size for part, size in sizes.items() if "plotly" in part)
    assert len(body(answer)) + sum(sizes.values()) - plot < PLAIN_KB * 1024
    assert 0 < plot + len(body(answer)) < PLOT_KB * 1024
