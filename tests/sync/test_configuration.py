"""What an operator writes wrongly is told with its name and what to write."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.sync.errors import BadSource, UnknownSource
from certifier.sync.sources import configured, read_source, source_named

GOOD = {"kind": "oms", "address": "https://oms.example/api"}


def test_the_sources_in_their_order(settings: Any) -> None:
    settings.SYNC_SOURCES = {"b": GOOD, "a": {"kind": "folder", "address": "/data"}}
    assert list(configured()) == ["b", "a"]
    assert source_named("a").kind == "folder"


def test_a_token_is_in_no_message() -> None:
    assert "secret" not in repr(read_source("oms", GOOD | {"token": "secret"}))


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("a b", GOOD, "a name has up to 60 letters"),
        ("oms", "https://oms.example", "write an object"),
        ("oms", GOOD | {"tokken": "x"}, "“tokken” is not known"),
        ("oms", GOOD | {"kind": "dials"}, "the kind is one of folder, certifier, oms, run-registry"),
        ("oms", {"kind": "oms"}, "the address begins with https:// or http://"),
        ("oms", GOOD | {"address": "ftp://oms.example"}, "the address begins with https:// or http://"),
        ("oms", GOOD | {"address": "https://me:secret@oms.example"}, "leave name and password out"),
        ("files", {"kind": "folder", "address": "data"}, "its whole path, from /"),
    ],
)
def test_what_is_wrong_is_named(name: str, given: Any, words: str) -> None:
    with pytest.raises(BadSource, match=words):
        read_source(name, given)


def test_a_source_that_is_none_is_answered_with_those_there_are(settings: Any) -> None:
    settings.SYNC_SOURCES = {"oms": GOOD}
    with pytest.raises(UnknownSource, match="No source “rr” is configured: there are oms"):
        source_named("rr")
    settings.SYNC_SOURCES = {}
    with pytest.raises(UnknownSource, match="set SYNC_SOURCES"):
        source_named("rr")
