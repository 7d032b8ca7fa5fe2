"""Every write of this room. All are upserts: what is so already changes nothing, not even a version or the feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from django.db import IntegrityError, transaction
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import ErrorItem, TooLarge
from certifier.audit.unit import Unit, unit_of_work
from certifier.lumi import RunSelection

from . import lumisection_writing
from .changes import announce
from .errors import DatasetRefused, RunRefused, StaleVersion
from .lumisection_columns import read_columns
from .lumisection_writing import PutLumisections
from .models import ConditionFlag, Dataset, ReferenceRun, Run, RunProfile
from .run_fields import PUBLIC_NAME, RunFields, Unfit, attributes, read_run, read_runs, run_number, same_json, text

Outcome = Literal["created", "updated", "unchanged"]
# As `if_version`: any version will do, but the run must exist (If-Match: *).
ANY_VERSION: Final = 0
NO_FLAGS: Final[Mapping[str, object]] = MappingProxyType({})
MOST_RUNS: Final = 10_000
STAGES: Final = ("", "express", "bulk", "final")
_SAVED: Final = [*PUBLIC_NAME, "version", "updated_at"]
_NUMBERS_PER_QUERY: Final = 5_000


@dataclass(frozen=True)
class PutRun:
    run: Run
    outcome: Outcome
    # What changed, by public name: (before, after).
    changed: dict[str, tuple[Any, Any]]

    @property
    def is_shorter(self) -> bool:
        before, after = self.changed.get("lumisections", (None, 0))
        return before is not None and after < before


@dataclass(frozen=True)
class BulkOutcome:
    created: int
    updated: int
    unchanged: int


# --- runs ---------------------------------------------------------------------------------------------------


def put_run(*, actor: User | None, run: int, facts: Mapping[str, Any], if_version: int | None = None) -> PutRun:
    """Create or change run number `run`. `facts` has the fields of a run in REST; those left out stay as they are.

    Coordinators only. Raises RunRefused naming each field that is wrong, StaleVersion if it is not at `if_version`.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_runs(actor))
        fields = read_run(facts, run)
        if if_version is not None:
            _expect_version(fields.number, _locked([fields.number]).get(fields.number), if_version)
        (put,) = _put([fields], indexed=False)
        if put.outcome != "unchanged":
            data = {"outcome": put.outcome, "changed": _written(put.changed)}
            unit.audit("runs.put_run", f"run {fields.number}", data)
            _announce_run(unit, put)
    return put


def put_runs(*, actor: User | None, runs: Sequence[Mapping[str, Any]]) -> BulkOutcome:
    """Create or change many runs (each with its number as `run`), all or none. Coordinators only.

    Raises RunRefused naming place and field of everything that is wrong, TooLarge above 10,000 runs.
    """
    if len(runs) > MOST_RUNS:
        raise TooLarge(f"{len(runs):,} runs are more than one request may carry. Send {MOST_RUNS:,} at a time.")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_runs(actor))
        put = _put(read_runs(runs), indexed=True)
        by_outcome = {outcome: [item for item in put if item.outcome == outcome] for outcome in ("created", "updated")}
        if any(by_outcome.values()):
            data = {outcome: _selection(items) for outcome, items in by_outcome.items()}
            unit.audit("runs.put_runs", f"{sum(map(len, by_outcome.values())):,} runs", data)
        for item in put:
            if item.outcome != "unchanged":
                _announce_run(unit, item)
    created, updated = len(by_outcome["created"]), len(by_outcome["updated"])
    return BulkOutcome(created, updated, len(put) - created - updated)


def _selection(items: list[PutRun]) -> str:
    return str(RunSelection((item.run.number, item.run.number) for item in items)) if items else ""


def _announce_run(unit: Unit, put: PutRun) -> None:
    data = {"outcome": put.outcome, "version": put.run.version, "changed": sorted(put.changed)}
    announce(unit, "runs.run", run=put.run.number, data=data)


def _written(changed: dict[str, tuple[Any, Any]]) -> dict[str, list[Any]]:
    def word(value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else value

    return {name: [word(before), word(after)] for name, (before, after) in changed.items()}


def _locked(numbers: Sequence[int]) -> dict[int, Run]:
    """Runs by number, locked in ascending order until the end of the transaction."""
    found: dict[int, Run] = {}
    for start in range(0, len(numbers), _NUMBERS_PER_QUERY):
        part = numbers[start : start + _NUMBERS_PER_QUERY]
        locking = Run.objects.select_for_update(no_key=True).filter(number__in=part).order_by("number")
        found |= {run.number: run for run in locking}
    return found


def _put(wanted: list[RunFields], *, indexed: bool) -> list[PutRun]:
    # Somebody else may create one of the runs between our look and our insert: then it is there at the second look.
    for _ in range(3):
        try:
            with transaction.atomic():
                return _put_once(wanted, indexed=indexed)
        except IntegrityError as error:
            collision = error
    raise collision


def _put_once(wanted: list[RunFields], *, indexed: bool) -> list[PutRun]:
    rows = _locked(sorted(fields.number for fields in wanted))
    now = timezone.now()
    put: list[PutRun] = []
    problems: list[ErrorItem] = []
    for index, fields in enumerate(wanted):
        item = _apply(rows.get(fields.number), fields)
        put.append(item)
        run = item.run
        if run.started_at and run.ended_at and run.ended_at < run.started_at:
            problems.append(_problem(index, indexed, "ended_at", f"Run {run.number} would end before it starts."))
        if item.outcome != "unchanged":
            run.updated_at = now
    problems += _shrinking(put, indexed)
    if problems:
        raise RunRefused(problems[0]["message"], errors=problems)
    created = sorted((item.run for item in put if item.outcome == "created"), key=lambda run: run.number)
    Run.objects.bulk_create(created)
    # Copies without key: they collide with the rows by number, which turns the insert into one update of many rows.
    updated = [Run(number=item.run.number, **_values(item.run)) for item in put if item.outcome == "updated"]
    Run.objects.bulk_create(updated, update_conflicts=True, unique_fields=["number"], update_fields=_SAVED)
    return put


def _values(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _SAVED}


def _apply(run: Run | None, fields: RunFields) -> PutRun:
    if run is None:
        new = Run(number=fields.number, **fields.given)
        return PutRun(new, "created", {PUBLIC_NAME[name]: (None, value) for name, value in fields.given.items()})
    changed = {}
    for name, value in fields.given.items():
        before = getattr(run, name)
        if not (same_json(before, value) if name == "attributes" else before == value):
            changed[PUBLIC_NAME[name]] = (before, value)
            setattr(run, name, value)
    if not changed:
        return PutRun(run, "unchanged", {})
    run.version += 1
    return PutRun(run, "updated", changed)


def _problem(index: int, indexed: bool, name: str, message: str) -> ErrorItem:
    return {"index": index, "field": name, "message": message} if indexed else {"field": name, "message": message}


def _shrinking(put: list[PutRun], indexed: bool) -> list[ErrorItem]:
    """A run cannot become shorter than the lumisections that exist of it, or than a flag says."""
    shorter = {item.run.pk: (index, item.run) for index, item in enumerate(put) if item.is_shorter}
    if not shorter:
        return []
    last = dict(RunProfile.objects.filter(run_id__in=shorter).values_list("run_id", "length"))
    for run_id, lumisections in (
        ConditionFlag.objects.filter(run_id__in=shorter).order_by().values_list("run_id", "lumisections")
    ):
        last[run_id] = max(last.get(run_id, 0), lumisections.last or 0)
    return [
        _problem(
            index,
            indexed,
            "lumisections",
            f"Run {run.number} has data up to lumisection {last[run.pk]} and cannot end at {run.last_lumisection}. "
            f"Send {last[run.pk]} or more.",
        )
        for index, run in shorter.values()
        if last.get(run.pk, 0) > run.last_lumisection
    ]


def _expect_version(number: int, run: Run | None, expected: int) -> None:
    if run is None or expected not in (ANY_VERSION, run.version):
        raise StaleVersion(number, run.version if run else None)


# --- lumisections and flags ---------------------------------------------------------------------------------


def put_lumisections(
    *,
    actor: User | None,
    run: int,
    columns: Mapping[str, object],
    first: int = 1,
    flags: Mapping[str, object] = NO_FLAGS,
    if_version: int | None = None,
    keep_known: bool = False,
) -> PutLumisections:
    """Set values of the lumisections from `first` on. Coordinators only.

    `columns` by name: `duration_s` (seconds), `delivered_inv_nb` and `recorded_inv_nb` (inverse nanobarn, of the one
    lumisection), `pileup`, each a list of numbers and None or a float array with NaN for unknown, and `started_at`, a
    list of times; all of one length. Columns left out stay as they are. `flags` maps names to LumiSet text or values,
    each the whole flag; None forgets one; flags left out stay. The run grows when columns reach beyond its end.
    An unknown takes back what was known, or with `keep_known` leaves it.

    Raises RunNotFound, LumisectionsRefused naming field and index, StaleVersion when the run is not at `if_version`.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_runs(actor))
        given = read_columns(first, columns)
        known = lumisection_writing.lock(run)
        if if_version is not None:
            _expect_version(known.row.number, known.row, if_version)
        return lumisection_writing.put(unit, known, given, flags, keep_known=keep_known)


def put_flags(*, actor: User | None, run: int, flags: Mapping[str, object]) -> PutLumisections:
    """Say where conditions held in a run; as `put_lumisections` without columns."""
    return put_lumisections(actor=actor, run=run, columns={}, flags=flags)


# --- datasets and reference runs ----------------------------------------------------------------------------


def put_dataset(
    *, actor: User | None, run: int, name: str, stage: str = "", facts: Mapping[str, Any] | None = None
) -> Dataset:
    """Create or change a dataset of a run; `facts` become its attributes. Coordinators only.

    Raises RunNotFound and DatasetRefused.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_runs(actor))
        row = lumisection_writing.lock(run).row
        if stage not in STAGES:
            message = f"The stage is one of express, bulk and final, or empty; not “{str(stage)[:20]}”."
            raise DatasetRefused(message, field="stage")
        wanted = {"stage": stage, "attributes": _dataset_attributes(name, facts)}
        dataset, created = Dataset.objects.get_or_create(run=row, name=name, defaults=wanted)
        if not created and dataset.stage == stage and same_json(dataset.attributes, wanted["attributes"]):
            return dataset
        if not created:
            dataset.stage, dataset.attributes = stage, wanted["attributes"]
            dataset.save(update_fields=["stage", "attributes"])
        data = {"name": name, "stage": stage, "created": created}
        unit.audit("runs.put_dataset", f"run {row.number}", data)
        announce(unit, "runs.dataset", run=row.number, data=data)
    return dataset


def _dataset_attributes(name: object, facts: Mapping[str, Any] | None) -> dict[str, Any]:
    field = "name"
    try:
        if not text(200)(name).strip():
            raise Unfit("A dataset needs a name.")
        field = "attributes"
        return attributes(dict(facts or {}))
    except Unfit as error:
        raise DatasetRefused(str(error), field=field) from None


def import_reference_runs(
    *, actor: User | None, references: Sequence[tuple[int, int]], source: str = ""
) -> BulkOutcome:
    """Pairs (run, reference): which run each is compared with, the last reference of a run counting now.

    Either may be a run that is not known here; pairs that are known stay as they are. Coordinators only. Raises
    RunRefused naming the number that is none.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_runs(actor))
        wanted = dict.fromkeys(_reference(run, reference) for run, reference in references)
        known = set(ReferenceRun.objects.order_by().values_list("run_number", "reference_number"))
        positions = Counter(run for run, _ in known)
        rows = []
        for run, reference in (pair for pair in wanted if pair not in known):
            positions[run] += 1
            rows.append(
                ReferenceRun(run_number=run, reference_number=reference, position=positions[run], source=source[:200])
            )
        ReferenceRun.objects.bulk_create(rows)
        if rows:
            data = {"created": len(rows), "source": source}
            unit.audit("runs.import_reference_runs", f"{len(rows):,} reference runs", data)
            announce(unit, "runs.reference_runs", data=data)
    return BulkOutcome(len(rows), 0, len(wanted) - len(rows))


def _reference(run: object, reference: object) -> tuple[int, int]:
    try:
        return run_number(run), run_number(reference)
    except Unfit as error:
        raise RunRefused(f"Run {run} → {reference}: {error}", field="run") from None
