"""Files that bring runs and lumisections, one module per format. Which it is, the content says, never the name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import brilcalc_csv, certifier_json, oms_csv, oms_json, reference_runs, sphenix_run_details
from .imported import FileRefused, Imported, ImportedLumisections, Progress
from .source import read_json, read_text

__all__ = ["FileRefused", "Imported", "ImportedLumisections", "Progress", "read_file"]

TABLES = (brilcalc_csv, oms_csv)
TREES = (certifier_json, reference_runs, sphenix_run_details, oms_json)


def read_file(path: Path, progress: Progress) -> Imported:
    """The content of a file of any known format. Raises FileRefused naming line or item and reason."""
    text = read_text(path)
    if text.lstrip()[:1] in "{[":
        value = read_json(text)
        for tree in TREES:
            if tree.recognises(value):
                return tree.read(value, progress)
        raise FileRefused(_unknown_json(value))
    for table in TABLES:
        if table.recognises(text):
            return table.read(text, progress)
    raise FileRefused(_unknown_text(text))


def _formats() -> str:
    return ", ".join(module.FORMAT for module in (*TABLES, *TREES))


def _unknown_json(value: Any) -> str:
    if isinstance(value, Mapping) and value and all(str(key).isdigit() for key in value):
        return "this looks like a good-run list; import it with “manage.py import_good_runs”."
    return f"the JSON is none of the known formats ({_formats()})."


def _unknown_text(text: str) -> str:
    start = text.lstrip()[:400]
    if start.startswith("<"):
        return "this is XML; import a good-run list with “manage.py import_good_runs”."
    if start.startswith("defect,") or "since_lb" in start.partition("\n")[0]:
        return "this is a table of defects; import it with “manage.py import_defects”."
    return f"the file is none of the known formats ({_formats()})."
