"""A stored list as a value, and back into the bytes that people download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from certifier.lumi import LumiSet, RunLumiMap

from . import formats
from .formats import golden_json, grl_xml, layout, run_csv, run_list
from .models import GoodRunList, GoodRunListRun, Origin


def content_of(list_: GoodRunList) -> RunLumiMap:
    """The lumisections of a list. One query."""
    rows = GoodRunListRun.objects.filter(list=list_).order_by("run_number")
    return RunLumiMap(rows.values_list("run_number", "lumisections"))


def contents_of(lists: Sequence[GoodRunList]) -> dict[int, RunLumiMap]:
    """The lumisections of several lists by primary key. One query."""
    found: dict[int, dict[int, LumiSet]] = {list_.pk: {} for list_ in lists}
    rows = GoodRunListRun.objects.filter(list__in=lists).order_by("list", "run_number")
    for key, run, lumisections in rows.values_list("list", "run_number", "lumisections"):
        found[key][run] = lumisections
    return {key: RunLumiMap(runs) for key, runs in found.items()}


def export(
    list_: GoodRunList, form: formats.Format, *, canonical: bool = True, content: RunLumiMap | None = None
) -> bytes:
    """The list as a file. `canonical` golden JSON is the one line whose sha256 is the list's; otherwise an
    imported golden JSON comes back in the layout it had.
    """
    runs = content_of(list_) if content is None else content
    if form == "golden-json":
        kept = None if canonical else list_.metadata.get("layout")
        return golden_json.write(runs, layout.Layout.from_json(kept) if kept else layout.CANONICAL).encode()
    if form == "grl-xml":
        return grl_xml.write(runs, description_of(list_, runs)).encode()
    if form == "csv":
        return run_csv.write(runs).encode()
    return run_list.write(runs).encode()


def description_of(list_: GoodRunList, content: RunLumiMap) -> grl_xml.Description:
    """What the GRL XML says besides its runs: what an imported one said, or where the list comes from."""
    kept = list_.metadata.get("grl")
    if kept is not None:
        return grl_xml.Description.from_json(kept)
    facts = {
        "Query": query_of(list_),
        "RQTSVNVersion": "Certifier",
        "RunList": ",".join(str(run) for run in content),
        "GoldenJSONSHA256": list_.sha256,
    }
    metadata = tuple(grl_xml.Element("Metadata", {"Name": name}, text) for name, text in facts.items())
    return grl_xml.Description(list_.name, metadata=metadata)


def query_of(list_: GoodRunList) -> str:
    """In words a physicist can repeat, how the list was made."""
    provenance: dict[str, Any] = list_.provenance
    if list_.origin == Origin.BUILT:
        words = [
            f"runs {list_.run_selection or 'all'}",
            f"absent {' '.join(list_.require)}",
            f"ignore {' '.join(list_.ignore)}" if list_.ignore else "",
            f"tag {list_.tag.name if list_.tag else 'HEAD'} (entries up to {list_.entry_id}, logic {list_.logic})",
            f"signed off {list_.stage}".strip() if list_.signed_off else "",
        ]
        return "; ".join(word for word in words if word)
    if list_.origin == Origin.COMBINED:
        parents = [parent["name"] for parent in provenance.get("parents", [])]
        return f" {provenance.get('operation', '')} ".join(parents)
    return f"imported from {provenance.get('source', 'a file')}"


def file_name(list_: GoodRunList, form: formats.Format) -> str:
    """A name for the download that every file system takes."""
    stem = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in list_.name
    )
    suffix = formats.SUFFIXES[form]
    stem = stem.removesuffix(f".{suffix}").strip(".") or f"list-{list_.pk}"
    return f"{stem}.{suffix}"
