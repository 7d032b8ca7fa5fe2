"""The forms in which good-run lists travel. Pure functions from bytes to a `RunLumiMap` and back; no database
in here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from certifier.lumi import RunLumiMap

from . import golden_json, grl_xml, run_csv, run_list
from .errors import FormatError

Format = Literal["golden-json", "grl-xml", "csv", "run-list"]
FORMATS: tuple[Format, ...] = ("golden-json", "grl-xml", "csv", "run-list")
CONTENT_TYPES: dict[Format, str] = {
    "golden-json": "application/json",
    "grl-xml": "application/xml",
    "csv": "text/csv",
    "run-list": "text/plain",
}
SUFFIXES: dict[Format, str] = {"golden-json": "json", "grl-xml": "xml", "csv": "csv", "run-list": "list"}

__all__ = ["CONTENT_TYPES", "FORMATS", "SUFFIXES", "Format", "FormatError", "ReadFile", "read", "recognise"]


@dataclass(frozen=True)
class ReadFile:
    """A list as read from a file; `metadata` is what an export needs to repeat the file."""

    content: RunLumiMap
    format: Format
    metadata: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def recognise(data: bytes) -> Format:
    """Which format the bytes are in, by their beginning. Raises FormatError when they are in none."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<"):
        return "grl-xml"
    if head.startswith((b"{", b"[")):
        return "golden-json"
    if re.match(rb"run\s*,", head, re.IGNORECASE):
        return "csv"
    if re.match(rb"(\d|#)", head):
        return "run-list"
    if not head:
        raise FormatError("the file is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError("the file is UTF-16; save it as UTF-8.")
    raise FormatError(
        'this is no good-run list: golden JSON begins with {, GRL XML with <, CSV with "run,first,last", '
        "a run list with a number.",
        line=1,
    )


def read(data: bytes, length_of: Callable[[int], int | None] | None = None) -> ReadFile:
    """A good-run list in any of the formats. `length_of` gives the lumisections of a run, None where it is
    not known.
    """
    form = recognise(data)
    if form == "golden-json":
        golden = golden_json.read(data)
        kept = {"layout": golden.layout.to_json()} if golden.layout else {}
        return ReadFile(golden.content, form, kept, golden.remarks)
    if form == "grl-xml":
        grl = grl_xml.read(data, length_of)
        return ReadFile(grl.content, form, {"grl": grl.description.to_json()}, grl.remarks)
    if form == "csv":
        return ReadFile(run_csv.read(data), form)
    content, remarks = run_list.read(data, length_of)
    return ReadFile(content, form, {}, remarks)
