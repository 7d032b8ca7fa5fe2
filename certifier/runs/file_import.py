"""What a file says of runs and lumisections, written in one unit: all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.audit.unit import Unit, unit_of_work
from certifier.lumi import LumiSet

from . import lumisection_writing, services
from .errors import RunNotFound
from .importers.imported import FileRefused, Imported, ImportedLumisections, Progress
from .lumisection_columns import read_columns
from .lumisection_writing import KnownRun, PutLumisections
from .models import Run

Counts = services.BulkOutcome
# Locked and read together: at 1,000 lumisections a few megabytes.
RUNS_AT_ONCE = 100


@dataclass(frozen=True)
class ImportOutcome:
    runs: Counts
    # Lumisections in the file, and those of which something changed.
    lumisections: int
    lumisections_changed: int
    flags_changed: int
    references: Counts

    @property
    def changed(self) -> bool:
        counts = (self.runs, self.references)
        written = self.lumisections_changed + self.flags_changed
        return bool(written or any(count.created or count.updated for count in counts))


class _DryRun(Exception):
    """Carries the outcome out of a unit that is to be rolled back."""

    def __init__(self, outcome: ImportOutcome) -> None:
        self.outcome = outcome


def import_file(
    *, actor: User | None, imported: Imported, source: str, progress: Progress, dry_run: bool = False
) -> ImportOutcome:
    """Write everything that `imported` holds. Coordinators only. With `dry_run` it is done and taken back.

    Attributes are added to those a run has; what the file does not know leaves what is known. Raises FileRefused
    naming the place of a run that cannot be written.
    """
    try:
        with unit_of_work(actor) as unit:
            permissions.require(permissions.can_write_runs(actor))
            runs = _put_runs(actor, imported)
            lumisections, flags = _put_lumisections(unit, imported, progress)
            references = services.import_reference_runs(actor=actor, references=imported.references, source=source)
            count = sum(item.count for item in imported.lumisections)
            outcome = ImportOutcome(runs, count, lumisections, flags, references)
            if outcome.changed:
                unit.audit("runs.import_file", source, {"format": imported.format, "runs": len(imported.runs)})
            if dry_run:
                raise _DryRun(outcome)
    except _DryRun as dry:
        return dry.outcome
    return outcome


def _put_runs(actor: User | None, imported: Imported) -> Counts:
    total = Counts(0, 0, 0)
    rest = iter(imported.runs)
    while chunk := list(islice(rest, services.MOST_RUNS)):
        numbers = [run["run"] for run in chunk]
        known = dict(Run.objects.filter(number__in=numbers).values_list("number", "attributes"))
        for run in chunk:
            if "attributes" in run and run["run"] in known:
                run["attributes"] = {**known[run["run"]], **run["attributes"]}
        try:
            counts = services.put_runs(actor=actor, runs=chunk)
        except CertifierError as error:
            raise _refused(error, imported, [run["run"] for run in chunk]) from None
        total = Counts(
            total.created + counts.created, total.updated + counts.updated, total.unchanged + counts.unchanged
        )
    return total


def _refused(error: CertifierError, imported: Imported, numbers: list[int]) -> FileRefused:
    item = error.errors[0]
    place = imported.places.get(numbers[item["index"]], "") if "index" in item else ""
    parts = [place, item.get("field", ""), item["message"]]
    return FileRefused(": ".join(part for part in parts if part))


def _put_lumisections(unit: Unit, imported: Imported, progress: Progress) -> tuple[int, int]:
    lumisections = flags = 0
    for start in range(0, len(imported.lumisections), RUNS_AT_ONCE):
        progress(start, len(imported.lumisections), "runs written")
        items = imported.lumisections[start : start + RUNS_AT_ONCE]
        known = lumisection_writing.lock_many(item.run for item in items)
        for item in items:
            try:
                put = _put_one(unit, known.get(item.run), item)
            except CertifierError as error:
                place = imported.places.get(item.run, f"run {item.run}")
                raise FileRefused(f"{place}: {error.errors[0].get('field', '')}: {error.message}") from None
            lumisections += len(put.lumisections & item.covered)
            flags += len(put.flags)
    return lumisections, flags


def _put_one(unit: Unit, known: KnownRun | None, item: ImportedLumisections) -> PutLumisections:
    if known is None:
        raise RunNotFound(item.run)
    flags = {name: (known.flags.get(name, LumiSet()) - item.covered) | flag for name, flag in item.flags.items()}
    return lumisection_writing.put(unit, known, read_columns(item.first, item.columns), flags, keep_known=True)
