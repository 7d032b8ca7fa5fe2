"""OMS, the run database of CMS, and what answers like it: JSON:API with `runs` and `lumisections`.

GET runs?filter[run_number][GT]=355100&sort=run_number&page[limit]=100
GET lumisections?filter[run_number][EQ]=355101&sort=lumisection_number&page[limit]=5000
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from certifier.runs.importers import FileRefused, Progress, oms_json
from certifier.sync.http import Client, expect, rows_in
from certifier.sync.sources import Batch, Source

from .settling import last_read, moved, unsettled

RUNS_AT_ONCE: Final = 100
# More than a run has: one page is all of it, and a second would say so.
LUMISECTIONS_AT_ONCE: Final = 5000

Attributes = Mapping[str, Any]


class OmsReader:
    def __init__(self, source: Source) -> None:
        self.client = Client(source)

    def read(self, cursor: Mapping[str, Any], again: list[str], progress: Progress) -> Iterator[Batch]:
        waiting = unsettled(cursor, again)
        here = dict(cursor)
        for done, run in enumerate(chain(self._runs_numbered(waiting), self._runs_after(last_read(cursor)))):
            number = run["run_number"]
            progress(done, max(done, len(waiting)), f"runs, now {number}")
            here = moved(here, number, run.get("end_time"))
            yield self._batch(number, run, here)

    def _runs_numbered(self, numbers: list[int]) -> Iterator[Attributes]:
        for number in numbers:
            yield from self._page("runs", "run_number", {"filter[run_number][EQ]": number, "page[limit]": 1})

    def _runs_after(self, last: int) -> Iterator[Attributes]:
        while True:
            query = {"filter[run_number][GT]": last, "sort": "run_number", "page[limit]": RUNS_AT_ONCE}
            page = self._page("runs", "run_number", query)
            yield from page
            if len(page) < RUNS_AT_ONCE:
                return
            last = max(run["run_number"] for run in page)

    def _batch(self, number: int, run: Attributes, cursor: Mapping[str, Any]) -> Batch:
        lumisections: list[Attributes] = []
        offset = 0
        while True:
            query = {
                "filter[run_number][EQ]": number,
                "sort": "lumisection_number",
                "page[offset]": offset,
                "page[limit]": LUMISECTIONS_AT_ONCE,
            }
            page = self._page("lumisections", "lumisection_number", query)
            lumisections += page
            offset += len(page)
            if len(page) < LUMISECTIONS_AT_ONCE:
                break
        try:
            return Batch(str(number), oms_json.read([run, *lumisections], lambda *_: None), cursor)
        except FileRefused as refusal:
            return Batch(str(number), None, cursor, str(refusal))

    def _page(self, resource: str, key: str, query: Mapping[str, Any]) -> list[Attributes]:
        url = f"{self.client.base}/{resource}"
        found = [row.get("attributes") for row in rows_in(self.client.get(resource, query), "data", url)]
        right = [row for row in found if isinstance(row, Mapping) and isinstance(row.get(key), int)]
        expect(len(right) == len(found), url, f"rows without {key}")
        return right
