"""Which sources there are: the operator says so in SYNC_SOURCES, nobody in a browser.

    {"registry": {"kind": "run-registry", "address": "https://registry.example/api", "token": "…"},
     "files": {"kind": "folder", "address": "/data/runs"}}

What the server calls is the operator's choice alone: whoever could name an address in a page could make the server
call its own neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from django.conf import settings

from certifier.runs.importers import Imported, Progress

from .errors import BadSource, UnknownSource

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
KEYS: Final = frozenset({"kind", "address", "token"})
# Other programs over the network; a folder is one of this machine.
REMOTE: Final = ("certifier", "oms", "run-registry")
KINDS: Final = ("folder", *REMOTE)


@dataclass(frozen=True)
class Source:
    name: str
    kind: str
    address: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Batch:
    """What is written in one transaction, with the cursor that is right afterwards."""

    label: str
    imported: Imported | None
    cursor: Mapping[str, Any]
    # Why it could not even be read; then there is nothing to write.
    refused: str = ""


class Reader(Protocol):
    def read(self, cursor: Mapping[str, Any], again: list[str], progress: Progress) -> Iterator[Batch]:
        """What is new since `cursor`, and what is labelled as `again` wants, a batch at a time. Raises SourceFailed."""


def configured() -> dict[str, Source]:
    """The sources by name, in their order. Raises BadSource."""
    given: Any = settings.SYNC_SOURCES
    return {name: read_source(name, each) for name, each in given.items()}


def source_named(name: str) -> Source:
    """Raises UnknownSource naming those that there are."""
    found = configured()
    if name not in found:
        known = f"there are {', '.join(found)}" if found else "none is; set SYNC_SOURCES (docs/sync.md)"
        raise UnknownSource(f"No source “{name[:60]}” is configured: {known}.")
    return found[name]


def read_source(name: str, given: Any) -> Source:
    where = f"SYNC_SOURCES: “{str(name)[:60]}”"
    if not NAME.fullmatch(name):
        raise BadSource(f"{where}: a name has up to 60 letters, digits, “_”, “.” and “-”.")
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise BadSource(f"{where}: write an object with {', '.join(sorted(KEYS))}, each a text.")
    if unknown := sorted(given.keys() - KEYS):
        raise BadSource(f"{where}: “{unknown[0]}” is not known; there are {', '.join(sorted(KEYS))}.")
    kind, address = given.get("kind", ""), given.get("address", "")
    if kind not in KINDS:
        raise BadSource(f"{where}: the kind is one of {', '.join(KINDS)}, not “{kind[:30]}”.")
    _check_address(where, kind, address)
    return Source(name, kind, address, given.get("token", ""))


def _check_address(where: str, kind: str, address: str) -> None:
    if kind == "folder":
        if not Path(address).is_absolute():
            raise BadSource(f"{where}: the address of a folder is its whole path, from /.")
        return
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadSource(f"{where}: the address begins with https:// or http:// and has no “?” or “#”.")
    if parts.username is not None:
        raise BadSource(f"{where}: leave name and password out of the address; “token” is for what is secret.")


def reader_of(source: Source) -> Reader:
    from .readers import certifier_feed, folder, oms, run_registry

    match source.kind:
        case "folder":
            return folder.FolderReader(Path(source.address))
        case "certifier":
            return certifier_feed.FeedReader(source)
        case "oms":
            return oms.OmsReader(source)
    return run_registry.RegistryReader(source)
