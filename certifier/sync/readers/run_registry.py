"""The CMS Run Registry: runs with what OMS and the registry say of them, and the detector bits of every lumisection.

    POST runs_filtered_ordered            {"page": 0, "page_size": 50, "filter": {"run_number": {">": 355100}}, …}
    POST lumisections/oms_lumisections    {"run_number": 355101, "dataset_name": "online"}

What the registry itself decided (class, state, significance) becomes attributes with `rr_` before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from certifier.runs.importers import FileRefused, Progress, oms_json
from certifier.sync.http import Client, expect, rows_in
from certifier.sync.sources import Batch, Source

from .settling import last_read, moved, unsettled

RUNS_AT_ONCE: Final = 50
DATASET: Final = "online"
# Who asks, where the registry runs without the login of its laboratory.
LOCAL_USER: Final = {"email": "api@api"}

Row = Mapping[str, Any]


class RegistryReader:
    def __init__(self, source: Source) -> None:
        self.client = Client(source, headers={} if source.token else LOCAL_USER)

    def read(self, cursor: Mapping[str, Any], again: list[str], progress: Progress) -> Iterator[Batch]:
        waiting = unsettled(cursor, again)
        here = dict(cursor)
        for done, row in enumerate(chain(self._runs_numbered(waiting), self._runs_after(last_read(cursor)))):
            number = row["run_number"]
            progress(done, max(done, len(waiting)), f"runs, now {number}")
            here = moved(here, number, row["oms_attributes"].get("end_time"))
            yield self._batch(number, row, here)

    def _runs_numbered(self, numbers: list[int]) -> Iterator[Row]:
        for number in numbers:
            yield from self._page("=", number, 1)

    def _runs_after(self, last: int) -> Iterator[Row]:
        while True:
            page = self._page(">", last, RUNS_AT_ONCE)
            yield from page
            if len(page) < RUNS_AT_ONCE:
                return
            last = max(row["run_number"] for row in page)

    def _page(self, operator: str, number: int, size: int) -> list[Row]:
        body = {
            "page": 0,
            "page_size": size,
            "filter": {"run_number": {operator: number}},
            "sortings": [["run_number", "ASC"]],
        }
        rows = rows_in(self.client.post("runs_filtered_ordered", body), "runs", self.client.base)
        expect(all(map(_is_run, rows)), self.client.base, "runs without run_number or oms_attributes")
        return rows

    def _batch(self, number: int, row: Row, cursor: Mapping[str, Any]) -> Batch:
        bits = self.client.post("lumisections/oms_lumisections", {"run_number": number, "dataset_name": DATASET})
        expect(isinstance(bits, list), self.client.base, f"no list of the lumisections of run {number}")
        decided = {f"rr_{name}": value for name, value in (row.get("rr_attributes") or {}).items() if value is not None}
        run = {**row["oms_attributes"], "run_number": number, **decided}
        # Index i is lumisection i + 1; where the registry knows nothing it says {"err": …}.
        lumisections = [
            {**each, "run_number": number, "lumisection_number": place}
            for place, each in enumerate(bits, start=1)
            if isinstance(each, Mapping) and "err" not in each
        ]
        try:
            return Batch(str(number), oms_json.read([run, *lumisections], lambda *_: None), cursor)
        except FileRefused as refusal:
            return Batch(str(number), None, cursor, str(refusal))


def _is_run(row: Row) -> bool:
    return isinstance(row.get("run_number"), int) and isinstance(row.get("oms_attributes"), Mapping)
