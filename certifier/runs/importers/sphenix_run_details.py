"""Run details of the sPHENIX calorimeter QA: a list of objects with `runnumber`, `run_length`, `magnet_on`, statuses.

sPHENIX certifies whole runs, and the file has nothing finer: each run becomes one lumisection that lasts
`run_length` seconds. `magnet_on` is a condition flag; the statuses of the calorimeters are verdicts, not
conditions, and go to the attributes with everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certifier.lumi import LARGEST_RUN, LumiSet

from .imported import FileRefused, Imported, ImportedLumisections, Progress

FORMAT = "sPHENIX run details"
OWN_PLACE = {"runnumber", "run_length", "magnet_on"}
WHOLE_RUN = LumiSet.whole(1)


def recognises(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "runnumber" in value[0]


def read(value: list[Any], progress: Progress) -> Imported:
    """Raises FileRefused naming the item."""
    imported = Imported(FORMAT)
    for index, item in enumerate(value):
        place = f"item {index + 1}"
        if not isinstance(item, Mapping):
            raise FileRefused(f"{place}: an object is needed.")
        run, length = item.get("runnumber"), item.get("run_length")
        if isinstance(run, bool) or not isinstance(run, int) or not 1 <= run <= LARGEST_RUN:
            raise FileRefused(f"{place}: runnumber {str(run)[:30]} is not a run number.")
        if (
            isinstance(length, bool)
            or not isinstance(length, int | float | None)
            or (length is not None and length < 0)
        ):
            raise FileRefused(f"{place}: run_length {str(length)[:30]} is not a number of seconds.")
        if run in imported.places:
            raise FileRefused(f"{place}: run {run} is {imported.places[run]} already.")
        imported.places[run] = place
        attributes = {name: fact for name, fact in item.items() if name not in OWN_PLACE and fact is not None}
        imported.runs.append({"run": run, "lumisections": 1, "attributes": attributes})
        flags = {}
        if isinstance(item.get("magnet_on"), bool):
            flags["magnet_on"] = WHOLE_RUN if item["magnet_on"] else LumiSet()
        imported.lumisections.append(ImportedLumisections(run, 1, {"duration_s": [length]}, 1, flags, WHOLE_RUN))
    return imported
