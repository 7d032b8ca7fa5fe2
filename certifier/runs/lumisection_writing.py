"""Lumisections and flags of a locked run, written within a unit of work. `services` and `file_import` call it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from certifier.audit.unit import Unit
from certifier.lumi import LumiSet

from . import lumisection_store
from .changes import announce
from .errors import RunNotFound
from .lumisection_columns import Columns, read_flags
from .models import ConditionFlag, Run, RunProfile
from .profile import Profile
from .run_fields import Unfit, run_number


@dataclass
class KnownRun:
    """A run, locked until the end of the transaction, and what is known of its lumisections."""

    row: Run
    profile: Profile
    flags: dict[str, LumiSet]


@dataclass(frozen=True)
class PutLumisections:
    run: Run
    # The lumisections of which something changed (or that are new), and the flags that changed.
    lumisections: LumiSet
    flags: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.lumisections or self.flags)


def lock(number: int) -> KnownRun:
    """Raises RunNotFound."""
    try:
        known = lock_many([run_number(number)])
    except Unfit:
        raise RunNotFound(number) from None
    if not known:
        raise RunNotFound(number)
    return known[number]


def lock_many(numbers: Iterable[int]) -> dict[int, KnownRun]:
    """The runs of these numbers that exist, locked in ascending order.

    What hangs on them is read by statements of their own afterwards: joined to the first, PostgreSQL would give it as
    it was before the wait for the lock.
    """
    # Without the key: who records something of a run only refers to it, and need not wait.
    locking = Run.objects.select_for_update(no_key=True).filter(number__in=numbers).order_by("number")
    rows = {row.pk: row for row in locking}
    flags: dict[int, dict[str, LumiSet]] = {run_id: {} for run_id in rows}
    unpacked: dict[int, Profile] = {}
    # Whatever is put on a run raises its version: of the first there is neither profile nor flag to read.
    begun = [run_id for run_id, row in rows.items() if row.version > 1]
    if begun:
        profiles = RunProfile.objects.filter(run_id__in=begun).values_list("run_id", "length", "columns")
        unpacked = {run_id: Profile.unpack(length, columns) for run_id, length, columns in profiles}
        known = ConditionFlag.objects.filter(run_id__in=begun).order_by()
        for run_id, name, lumisections in known.values_list("run_id", "name", "lumisections"):
            flags[run_id][name] = lumisections
    return {
        row.number: KnownRun(row, unpacked.get(run_id) or Profile.unknown(), flags[run_id])
        for run_id, row in rows.items()
    }


def put(unit: Unit, known: KnownRun, given: Columns, flags: object, *, keep_known: bool) -> PutLumisections:
    """Raises LumisectionsRefused naming the flag."""
    last = max(known.row.last_lumisection, given.last if given.count else 0)
    wanted = read_flags(flags, last)
    written = PutLumisections(known.row, _write_columns(known, given, keep_known), _write_flags(known, wanted))
    if written.changed:
        _touch(known.row, last)
        _tell(unit, written, given)
    return written


def _write_columns(known: KnownRun, given: Columns, keep_known: bool) -> LumiSet:
    if not given.count:
        return LumiSet()
    run_id = known.row.pk
    new = not known.profile.length
    known.profile, changed = lumisection_store.write(run_id, known.profile, given, keep_known=keep_known)
    if changed:
        lumisection_store.save_profile(run_id, known.profile, new=new)
    return changed


def _write_flags(known: KnownRun, wanted: dict[str, LumiSet | None]) -> tuple[str, ...]:
    changed = {name: flag for name, flag in wanted.items() if known.flags.get(name) != flag}
    gone = [name for name, flag in changed.items() if flag is None]
    if gone:
        ConditionFlag.objects.filter(run=known.row, name__in=gone).delete()
    rows = [
        ConditionFlag(run=known.row, name=name, lumisections=flag) for name, flag in changed.items() if flag is not None
    ]
    ConditionFlag.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["run", "name"], update_fields=["lumisections"]
    )
    for name, flag in changed.items():
        if flag is None:
            del known.flags[name]
        else:
            known.flags[name] = flag
    return tuple(sorted(changed))


def _touch(run: Run, last: int) -> None:
    run.version += 1
    run.last_lumisection = last
    run.updated_at = timezone.now()
    Run.objects.filter(pk=run.pk).update(
        version=run.version, last_lumisection=run.last_lumisection, updated_at=run.updated_at
    )


def _tell(unit: Unit, written: PutLumisections, given: Columns) -> None:
    data = {
        "lumisections": str(written.lumisections),
        "columns": given.names if written.lumisections else [],
        "flags": list(written.flags),
        "version": written.run.version,
    }
    unit.audit("runs.put_lumisections", f"run {written.run.number}", data)
    announce(unit, "runs.lumisections", run=written.run.number, data=data)
