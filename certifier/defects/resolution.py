"""From entries to states: what holds on each lumisection when later entries win where they overlap.

Everything here works on integers used as bitsets (bit n is lumisection n) and on rows without models, because a
good-run list reads three quarters of a million entries. Nothing is clipped to the run: whoever evaluates knows its
lumisections.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.models import Max

from certifier.lumi import LumiSet

from .errors import EntriesBusy
from .models import Entry

ENTRIES = Entry._meta.db_table
# Parameters of one statement; SQLite's limit is far above it, and with the index many small statements cost the same.
RUNS_PER_STATEMENT = 400
# From which part of a span on the runs in it are read together.
DENSE = 0.8
ROWS_PER_FETCH = 5_000
# Most entries say one of few things ("118-132", "1-728"), so a text is usually read once.
REMEMBERED_TEXTS = 200_000
PATIENCE_MS = 15_000


class State(NamedTuple):
    """What was last said of one defect in one run. `recoverable` is a part of `present`; `absent` never overlaps it."""

    present: int
    absent: int
    recoverable: int


class Said(NamedTuple):
    """One entry of one run, as `told` needs it."""

    bits: int
    present: bool
    recoverable: bool
    user: str
    comment: str
    entered_at: datetime
    entry: int = 0


class Interval(NamedTuple):
    """Inclusive lumisections on which one payload holds; `entered_at` is that of the latest entry that contributes,
    None for a virtual defect."""

    first: int
    last: int
    present: bool
    recoverable: bool
    user: str
    comment: str
    entered_at: datetime | None


class Told(NamedTuple):
    """What is said of a defect, wherever it holds: the payload, and bits of lumisections with the time at which it was
    said of them, which do not overlap."""

    present: bool
    recoverable: bool
    user: str
    comment: str
    parts: Sequence[tuple[int, datetime | None]]

    @property
    def bits(self) -> int:
        together = 0
        for bits, _ in self.parts:
            together |= bits
        return together

    @property
    def newest(self) -> datetime | None:
        return max((at for _, at in self.parts if at is not None), default=None)


class Bits:
    """Canonical lumisection text to bits, each text once."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def read(self, rows: Iterable[Row]) -> dict[str, int]:
        """text -> bits for at least the texts of these rows."""
        if len(self._known) >= REMEMBERED_TEXTS:
            self._known.clear()
        known = self._known
        for text in {row[2] for row in rows}.difference(known):
            known[text] = LumiSet.parse(text).bits
        return known


def states(
    *, runs: Sequence[int] | None, up_to: int | None, defects: Collection[int] | None = None
) -> Iterator[tuple[int, dict[int, State]]]:
    """(run pk, defect pk -> State) in ascending order of run pk, one run after the other without holding the rest.

    `runs` are primary keys, None means all; `up_to` is the highest entry that counts, None means HEAD; `defects`
    (primary keys) leaves out every other. A run without entries is not mentioned, nor a defect without entries in it.
    """
    bits_of = Bits()
    if runs is None:
        yield from _states_of(None, up_to, defects, bits_of)
        return
    wanted = sorted(set(runs))
    if wanted and len(wanted) >= DENSE * (wanted[-1] - wanted[0] + 1):
        # Neighbours nearly all: one statement over their span is quicker than many that name each.
        within = range(wanted[0], wanted[-1] + 1)
        chosen = set(wanted)
        yield from (one for one in _states_of(within, up_to, defects, bits_of) if one[0] in chosen)
        return
    for at in range(0, len(wanted), RUNS_PER_STATEMENT):
        yield from _states_of(wanted[at : at + RUNS_PER_STATEMENT], up_to, defects, bits_of)


def _states_of(
    runs: Sequence[int] | None, up_to: int | None, defects: Collection[int] | None, bits_of: Bits
) -> Iterator[tuple[int, dict[int, State]]]:
    # The innermost loop of every good-run list: plain tuples, no call per row.
    current = None
    found: dict[int, tuple[int, int, int]] = {}
    for rows in _rows(runs, up_to, defects):
        known = bits_of.read(rows)
        for run, defect, text, present, recoverable in rows:
            if run != current:
                if current is not None:
                    yield current, {key: _new_state(State, bits) for key, bits in found.items()}
                current, found = run, {}
            bits = known[text]
            if defect not in found:
                found[defect] = (bits, 0, bits if recoverable else 0) if present else (0, bits, 0)
            elif present:
                held, absent, repairable = found[defect]
                repairable = repairable | bits if recoverable else repairable & ~bits
                found[defect] = (held | bits, absent & ~bits, repairable)
            else:
                held, absent, repairable = found[defect]
                found[defect] = (held & ~bits, absent | bits, repairable & ~bits)
    if current is not None:
        yield current, {key: _new_state(State, bits) for key, bits in found.items()}


_new_state: Any = tuple.__new__

Row = tuple[int, int, str, bool, bool]


def _rows(runs: Sequence[int] | None, up_to: int | None, defects: Collection[int] | None) -> Iterator[Sequence[Row]]:
    """Raw rows by run and then in the order in which they were said, many at a time."""
    where, parameters = _conditions(runs, up_to, defects)
    statement = (
        f"SELECT run_id, defect_id, lumisections, present, recoverable FROM {ENTRIES}{where} ORDER BY run_id, id"  # noqa: S608
    )
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(ROWS_PER_FETCH):
            yield rows


def _conditions(
    runs: Sequence[int] | None, up_to: int | None, defects: Collection[int] | None
) -> tuple[str, list[Any]]:
    parts: list[str] = []
    parameters: list[Any] = []
    for column, values in (("run_id", runs), ("defect_id", defects)):
        if isinstance(values, range):
            parts.append(f"{column} BETWEEN %s AND %s")
            parameters += [values[0], values[-1]]
        elif values is not None:
            parts.append(f"{column} IN ({','.join(['%s'] * len(values)) or 'NULL'})")
            parameters += values
    if up_to is not None:
        parts.append("id <= %s")
        parameters.append(up_to)
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), parameters


def said_of_run(run: int, *, up_to: int | None = None) -> dict[int, list[Said]]:
    """Every entry of a run (primary key) by defect, each list in the order in which it was said."""
    rows = Entry.objects.filter(run_id=run).order_by("id")
    if up_to is not None:
        rows = rows.filter(id__lte=up_to)
    found: dict[int, list[Said]] = {}
    payload = ("present", "recoverable", "user", "comment", "entered_at", "id")
    for defect, lumisections, *said in rows.values_list("defect_id", "lumisections", *payload):
        found.setdefault(defect, []).append(Said(lumisections.bits, *said))
    return found


def state_of(said: Iterable[Said]) -> State:
    """The state after these entries, in the order in which they were said."""
    present = absent = recoverable = 0
    for entry in said:
        if entry.present:
            present, absent = present | entry.bits, absent & ~entry.bits
            recoverable = recoverable | entry.bits if entry.recoverable else recoverable & ~entry.bits
        else:
            present, absent, recoverable = present & ~entry.bits, absent | entry.bits, recoverable & ~entry.bits
    return State(present, absent, recoverable)


def told(said: Sequence[Said], domain: int) -> list[Told]:
    """What still holds within the domain (bits) of all that was said, in the order in which it begins."""
    covered = ~domain
    by_payload: dict[tuple[bool, bool, str, str], list[tuple[int, datetime | None]]] = {}
    for entry in reversed(said):
        visible = entry.bits & ~covered
        if visible:
            covered |= visible
            payload = (entry.present, entry.recoverable, entry.user, entry.comment)
            by_payload.setdefault(payload, []).append((visible, entry.entered_at))
    return by_beginning(Told(*payload, parts) for payload, parts in by_payload.items())


def by_beginning(found: Iterable[Told]) -> list[Told]:
    """In the order of their first lumisections."""
    return sorted(found, key=lambda one: (bits := one.bits) & -bits)


def intervals(found: Iterable[Told]) -> list[Interval]:
    """Ascending intervals that do not overlap; neighbours of equal payload are one."""
    cut = []
    for one in found:
        present, recoverable, user, comment, parts = one
        for first, last in LumiSet.from_bits(one.bits).ranges():
            here = (2 << last) - (1 << first)
            at = max((at for bits, at in parts if bits & here and at is not None), default=None)
            cut.append(Interval(first, last, present, recoverable, user, comment, at))
    cut.sort(key=lambda interval: interval.first)
    return cut


def newest_entry() -> int:
    """The highest entry there is now, 0 when there is none. Lower ones may still be on their way (see `settle`)."""
    return Entry.objects.aggregate(newest=Max("id"))["newest"] or 0


def settle() -> int:
    """The highest entry, once no entry with a lower number can appear any more; 0 when there is none.

    A number is given to an entry when it is inserted and others see it only after the commit, so the highest visible
    number alone freezes nothing: a slower writer may hold a lower one. On PostgreSQL:

    1. SHARE is the lock that waits until every transaction that has inserted entries has ended, and lets none begin to
       insert; readers and other taggers are not held up.
    2. An insert takes its lock before it asks the sequence for a number, so whoever waits for us has no number yet.
    3. What is the highest now stays the highest of all that were given; every later entry gets a higher one.

    Whoever needs it in a transaction calls it there first, before that transaction has locked anything that a writer of
    entries may wait for; the lock ends with the transaction. While we wait, new writers wait behind us, so we give up
    after a time: EntriesBusy. SQLite has one writer at a time and needs nothing.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            _wait_for_writers()
        return newest_entry()


def _wait_for_writers() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
        try:
            cursor.execute(f"LOCK TABLE {ENTRIES} IN SHARE MODE")
        except OperationalError as error:
            raise EntriesBusy(
                "Entries are still being recorded, perhaps by a long import. Nothing was changed; try again shortly."
            ) from error
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
