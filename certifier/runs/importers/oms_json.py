"""Answers of OMS as JSON: lumisections with their beam and detector bits, or runs.

Taken as OMS sends them (`{"data": [{"attributes": {...}}]}`) and as the bare list of attributes. A lumisection without
`lumisection_number` is numbered by its place, as OMS answers the lumisections of one run in order.

Booleans become condition flags, and `stable_beams` is where both beams are stable. A bit that is null throughout is
not known and makes no flag. Luminosity is read from `delivered_lumi_per_lumisection` and
`recorded_lumi_per_lumisection` (/pb) only: OMS's `delivered_lumi` of a lumisection does not say whether it counts
from the beginning of the run. Null stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from certifier.lumi import LARGEST_RUN, MAX_LUMISECTION, LumiSet
from certifier.runs.run_fields import Unfit, time

from .imported import FileRefused, Imported, ImportedLumisections, Progress
from .oms_run import in_inverse_nanobarn, run_facts

FORMAT = "OMS JSON"
BEAMS = ("beam1_stable", "beam2_stable")
PER_LUMISECTION = {
    "delivered_lumi_per_lumisection": "delivered_inv_nb",
    "recorded_lumi_per_lumisection": "recorded_inv_nb",
}
UNCLEAR = ("delivered_lumi", "recorded_lumi")
LUMISECTION_KEYS = {"lumisection_number", "beam1_stable", "beam1_present", "cms_active"}


def recognises(value: Any) -> bool:
    items = _items(value)
    return bool(items) and isinstance(items[0], Mapping) and "run_number" in items[0] and not _is_reference(items[0])


def _is_reference(item: Mapping[str, Any]) -> bool:
    return "reference_run_number" in item


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping) and isinstance(value.get("data"), list):
        value = [item.get("attributes") if isinstance(item, Mapping) else None for item in value["data"]]
    return value if isinstance(value, list) else []


def read(value: Any, progress: Progress) -> Imported:
    """Raises FileRefused naming the item."""
    imported = Imported(FORMAT)
    by_run: dict[int, dict[int, Mapping[str, Any]]] = {}
    items = _items(value)
    for index, item in enumerate(items):
        try:
            if not isinstance(item, Mapping):
                raise ValueError("this is no object of OMS attributes.")  # noqa: TRY004
            run = _whole(item, "run_number", LARGEST_RUN)
            imported.places.setdefault(run, f"item {index + 1}")
            if LUMISECTION_KEYS & item.keys():
                _collect(by_run.setdefault(run, {}), item)
            else:
                imported.runs.append(run_facts(item))
        except ValueError as error:
            raise FileRefused(f"item {index + 1}: {error}") from None
    described = {facts["run"]: facts for facts in imported.runs}
    for done, (run, rows) in enumerate(sorted(by_run.items())):
        progress(done, len(by_run), "runs read")
        _add(imported, run, rows, described.get(run))
    return imported


def _whole(item: Mapping[str, Any], name: str, largest: int) -> int:
    number = item.get(name)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= largest:
        raise ValueError(f"{name} {str(number)[:30]} is not from 1 to {largest}.")
    return number


def _collect(rows: dict[int, Mapping[str, Any]], item: Mapping[str, Any]) -> None:
    number = _whole(item, "lumisection_number", MAX_LUMISECTION) if "lumisection_number" in item else len(rows) + 1
    known = rows.setdefault(number, item)
    if known is not item and known != item:
        raise ValueError(f"lumisection {number} contradicts an earlier item.")


def _add(imported: Imported, run: int, rows: dict[int, Mapping[str, Any]], described: dict[str, Any] | None) -> None:
    numbers = sorted(rows)
    first, last = numbers[0], numbers[-1]
    facts: dict[str, Any] = {"run": run}
    fills = {row["fill_number"] for row in rows.values() if isinstance(row.get("fill_number"), int)}
    if len(fills) == 1:
        facts["fill"] = fills.pop()
    if described is None:
        imported.runs.append(facts)
    else:  # the same answer holds the run itself
        described.update(facts | described)
    if any(row.get(name) for row in rows.values() for name in UNCLEAR if _per_lumisection(name) not in row):
        imported.notes.append(f"run {run}: delivered_lumi without delivered_lumi_per_lumisection was left out")
    columns: dict[str, Any] = {}
    for source, column in (*PER_LUMISECTION.items(), ("pileup", "pileup")):
        if any(row.get(source) is not None for row in rows.values()):
            columns[column] = _column(rows, first, last, source, in_pb=source != "pileup")
    columns |= _times(rows, first, last)
    if not columns:
        # The lumisections exist though nothing was measured in them.
        columns["delivered_inv_nb"] = np.full(last - first + 1, np.nan)
    imported.lumisections.append(
        ImportedLumisections(run, first, columns, len(numbers), _flags(rows), LumiSet.from_numbers(numbers))
    )


def _per_lumisection(name: str) -> str:
    return f"{name}_per_lumisection"


def _column(rows: dict[int, Mapping[str, Any]], first: int, last: int, source: str, *, in_pb: bool) -> Any:
    values = np.full(last - first + 1, np.nan)
    for number, row in rows.items():
        value = row.get(source)
        if value is None:
            continue
        try:
            values[number - first] = in_inverse_nanobarn(value, source) / (1 if in_pb else 1000)
        except ValueError as error:
            raise FileRefused(f"lumisection {number}: {error}") from None
    return values


def _times(rows: dict[int, Mapping[str, Any]], first: int, last: int) -> dict[str, Any]:
    """When lumisections began, and how long they took where their end is known as well."""
    began: list[datetime | None] = [None] * (last - first + 1)
    took = np.full(last - first + 1, np.nan)
    for number, row in rows.items():
        try:
            start, end = (time(row[name]) if row.get(name) else None for name in ("start_time", "end_time"))
        except Unfit as error:
            raise FileRefused(f"lumisection {number}: {error}") from None
        began[number - first] = start
        if start and end and end >= start:
            took[number - first] = (end - start).total_seconds()
    found: dict[str, Any] = {}
    if any(began):
        found["started_at"] = began
    if not np.isnan(took).all():
        found["duration_s"] = took
    return found


def _flags(rows: dict[int, Mapping[str, Any]]) -> dict[str, LumiSet]:
    names = sorted({name for row in rows.values() for name, value in row.items() if isinstance(value, bool)})
    flags = {
        name: LumiSet.from_numbers(number for number, row in rows.items() if row.get(name) is True) for name in names
    }
    if all(beam in flags for beam in BEAMS):
        flags["stable_beams"] = flags[BEAMS[0]] & flags[BEAMS[1]]
    prescales: dict[int, list[int]] = {}
    for number, row in rows.items():
        index = row.get("prescale_index")
        if isinstance(index, int) and not isinstance(index, bool):
            prescales.setdefault(index, []).append(number)
    return flags | {
        f"prescale_index_{index}": LumiSet.from_numbers(numbers) for index, numbers in sorted(prescales.items())
    }
