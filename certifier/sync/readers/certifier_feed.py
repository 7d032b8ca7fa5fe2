"""Another Certifier: its change feed says which runs changed, and those are read.

The feed has no gaps and keeps the order of commits, so a cursor of one number misses nothing. A run that changed many
times is read once, as it is now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from certifier.runs.importers import FileRefused, Imported, Progress, certifier_json
from certifier.sync.http import Client, expect
from certifier.sync.sources import Batch, Source

CHANGES_AT_ONCE: Final = 1000
ABOUT_RUNS: Final = ("runs.run", "runs.lumisections")
# What the other side keeps for itself.
ITS_OWN: Final = ("version", "updated_at")


class FeedReader:
    def __init__(self, source: Source) -> None:
        self.client = Client(source, scheme="Token")

    def read(self, cursor: Mapping[str, Any], again: list[str], progress: Progress) -> Iterator[Batch]:
        after = int(cursor.get("after", 0))
        for number in again:
            yield self._run(int(number), {"after": after})
        while True:
            page = self.client.get("changes/", {"after": after, "limit": CHANGES_AT_ONCE})
            expect(isinstance(page, Mapping) and "changes" in page, self.client.base, "no change feed")
            if not page["changes"]:
                return
            runs = {change["run"] for change in page["changes"] if change["kind"] in ABOUT_RUNS and change["run"]}
            for done, number in enumerate(sorted(runs)):
                progress(done, len(runs), f"runs that changed up to {page['next']}")
                yield self._run(number, {"after": after})
            after = int(page["next"])
            yield Batch("", None, {"after": after})

    def _run(self, number: int, cursor: Mapping[str, Any]) -> Batch:
        run = self.client.get(f"runs/{number}/")
        columns = self.client.get(f"runs/{number}/lumisections/")
        expect(isinstance(run, Mapping) and isinstance(columns, Mapping), self.client.base, f"no run {number}")
        facts = {name: value for name, value in run.items() if name not in ITS_OWN and value is not None}
        try:
            imported: Imported = certifier_json.read(
                {"runs": [facts], "lumisections": {str(number): columns}}, lambda *_: None
            )
        except FileRefused as refusal:
            return Batch(str(number), None, cursor, str(refusal))
        return Batch(str(number), imported, cursor)
