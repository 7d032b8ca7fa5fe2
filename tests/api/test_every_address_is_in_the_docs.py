"""docs/api.md names every method of every address, and nothing that is not there."""

from __future__ import annotations

import re

from drf_spectacular.generators import SchemaGenerator

from tests.needs import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "api.md"
ROW = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) ([a-z][^` ?]*)")
FOLLOWING = re.compile(r"` · `([a-z.]+)(?=`)")


def documented() -> set[tuple[str, str]]:
    found = set()
    for line in DOCUMENT.read_text().splitlines():
        for match in ROW.finditer(line):
            found.add((match[1], normal(match[2])))
            # `GET …/golden.json` · `grl.xml` · `csv`: the same address with another last part
            found |= {(match[1], normal(f"{match[2].rpartition('/')[0]}/{part}")) for part in FOLLOWING.findall(line)}
    return found


def normal(address: str) -> str:
    return re.sub(r"\{\w+\}", "{}", address)


def offered() -> set[tuple[str, str]]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return {
        (method.upper(), normal(address.removeprefix("/api/v1/")))
        for address, methods in schema["paths"].items()
        for method in methods
    }


def test_it_names_every_address() -> None:
    assert offered() - documented() == set()


def test_it_names_no_address_that_is_not_there() -> None:
    assert documented() - offered() == set()
