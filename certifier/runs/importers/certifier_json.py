"""Certifier's own form, the bodies of REST: `{"runs": [{"run": ...}], "lumisections": {"359918": {"first": 1, ...}}}`.

Both keys are optional. Each run is as in `PUT runs/{run}/` with its number as `run`, each entry of `lumisections` as in
`PUT runs/{run}/lumisections/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certifier.audit.errors import CertifierError
from certifier.lumi import LARGEST_RUN, MAX_LUMISECTION, LumiError, LumiSet
from certifier.runs.lumisection_columns import read_columns

from .imported import FileRefused, Imported, ImportedLumisections, Progress

FORMAT = "Certifier JSON"
KEYS = ("runs", "lumisections")


def recognises(value: Any) -> bool:
    return isinstance(value, Mapping) and any(key in value for key in KEYS)


def read(value: Mapping[str, Any], progress: Progress) -> Imported:
    """Raises FileRefused naming the place."""
    imported = Imported(FORMAT)
    for key in value:
        if key not in KEYS:
            raise FileRefused(f"there is no key “{key[:60]}”; keys are {' and '.join(KEYS)}.")
    runs, lumisections = value.get("runs", []), value.get("lumisections", {})
    if not isinstance(runs, list):
        raise FileRefused("runs: a list is needed.")
    if not isinstance(lumisections, Mapping):
        raise FileRefused("lumisections: an object is needed, with run numbers as keys.")
    for index, run in enumerate(runs):
        if not isinstance(run, Mapping) or isinstance(run.get("run"), bool) or not isinstance(run.get("run"), int):
            raise FileRefused(f"runs[{index}]: an object with a number as “run” is needed.")
        imported.runs.append(dict(run))
        imported.places[run["run"]] = f"runs[{index}]"
    for done, (key, body) in enumerate(lumisections.items()):
        progress(done, len(lumisections), "runs read")
        imported.lumisections.append(_lumisections(key, body))
        imported.places.setdefault(imported.lumisections[-1].run, f"lumisections.{key}")
    return imported


def _lumisections(key: str, body: Any) -> ImportedLumisections:
    place = f"lumisections.{key[:30]}"
    if not (key.isascii() and key.isdigit() and len(key) <= 10 and 1 <= int(key) <= LARGEST_RUN):
        raise FileRefused(f"{place}: the key is not a run number.")
    if not isinstance(body, Mapping):
        raise FileRefused(f"{place}: an object of columns is needed.")
    columns = dict(body)
    first, flags = columns.pop("first", 1), columns.pop("flags", {})
    if not isinstance(flags, Mapping):
        raise FileRefused(f"{place}.flags: an object is needed.")
    try:
        count = read_columns(first, columns).count
        given = {name: LumiSet.parse(text) for name, text in flags.items()}
    except (CertifierError, LumiError) as error:
        raise FileRefused(f"{place}: {error}") from None
    # What a file of our own says of a flag is the whole flag, wherever its columns begin.
    return ImportedLumisections(int(key), first, columns, count, given, LumiSet.whole(MAX_LUMISECTION))
