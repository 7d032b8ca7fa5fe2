"""Defects from files: upload text or CSV, all of a file or nothing, and the same file again changes nothing.

A record counts as imported when the history has it: same run, defect, lumisections, state, user and comment, from an
import. It is not written again even if somebody has said otherwise since; a file is what was said then, not now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from certifier.accounts.models import System, User
from certifier.audit.unit import SYSTEM, unit_of_work
from certifier.runs import services as runs
from certifier.runs.models import Run

from . import defect_csv, upload_text
from .defect_csv import NotSplit, Record
from .definition_rules import NewDefect, system_named
from .entry_input import ENTRIES_PER_REQUEST, NewEntry, Refusal, Register, known_defects, known_runs
from .errors import UploadRefused
from .models import Entry, Source
from .naming import NAME, key_of
from .services import define_defects, record_entries
from .upload_text import UploadLine

RUNS_AT_ONCE = 500
LARGEST_FILE = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`create_missing` makes unknown primary defects; `system` takes those whose name begins with no system's code.
    `create_runs` gives unknown runs the length that the file tells."""

    create_missing: bool = False
    system: str = ""
    create_runs: bool = False


@dataclass(slots=True)
class Outcome:
    """What a file did. `notes` are (line, remark): nothing that was changed or left out goes unsaid."""

    records: int = 0
    recorded: int = 0
    known: int = 0
    empty: int = 0
    defects: list[str] = field(default_factory=list)
    runs: dict[int, int] = field(default_factory=dict)
    notes: list[tuple[int, str]] = field(default_factory=list)


Progress = Callable[[int, int], None]


def import_file(
    *, actor: User | None, body: bytes, options: Options, progress: Progress = lambda done, total: None
) -> Outcome:
    """Record what the file says, whole or not at all. Raises UploadRefused naming every bad line.

    Shifters, experts of the defects' systems, and coordinators; making defects and runs needs the roles for that.
    `progress` is called with (records done, records in all).
    """
    text = upload_text.decode(body, largest=LARGEST_FILE)
    with unit_of_work(actor):
        user = actor.get_username() if actor else SYSTEM
        if defect_csv.looks_like_csv(text):
            outcome, entries = _from_csv(actor, text, user, options)
        else:
            outcome, entries = _from_text(actor, text, user, options)
        fresh = _not_imported_yet(entries)
        outcome.recorded, outcome.known = len(fresh), len(entries) - len(fresh)
        for at in range(0, len(fresh), ENTRIES_PER_REQUEST):
            record_entries(actor=actor, entries=fresh[at : at + ENTRIES_PER_REQUEST], source=Source.IMPORT)
            progress(min(at + ENTRIES_PER_REQUEST, len(fresh)), len(fresh))
    return outcome


def _from_csv(actor: User | None, text: str, user: str, options: Options) -> tuple[Outcome, list[NewEntry]]:
    read = defect_csv.read(text)
    outcome = Outcome(records=len(read.records))
    if read.problems:
        raise UploadRefused(read.problems)
    if options.create_missing:
        outcome.defects = _create_missing(
            actor, {record.defect: record.line for record in reversed(read.records)}, options
        )
    if options.create_runs:
        outcome.runs = _create_runs(actor, defect_csv.lengths_from(read.records))
    lengths = dict(Run.objects.order_by().values_list("number", "last_lumisection"))
    problems: list[tuple[int, str]] = []
    entries: list[tuple[int, NewEntry]] = []
    for record in read.records:
        try:
            parts, remarks = defect_csv.split(record, lengths)
        except NotSplit as error:
            problems.append((record.line, str(error)))
            continue
        outcome.empty += not parts
        outcome.notes += ((record.line, remark) for remark in remarks)
        entries += ((record.line, _entry(record, part, user)) for part in parts)
    return outcome, _checked(entries, problems)


def _entry(record: Record, part: defect_csv.Part, user: str) -> NewEntry:
    return NewEntry(
        run=part.run,
        defect=record.defect,
        lumisections=part.lumisections,
        present=record.present,
        recoverable=record.recoverable,
        comment=record.comment,
        user=record.user or user,
    )


def _from_text(actor: User | None, text: str, user: str, options: Options) -> tuple[Outcome, list[NewEntry]]:
    read = upload_text.read(text)
    outcome = Outcome(records=len(read.lines))
    if read.problems:
        raise UploadRefused(read.problems)
    if options.create_missing:
        outcome.defects = _create_missing(actor, {line.defect: line.number for line in reversed(read.lines)}, options)
    if options.create_runs:
        outcome.runs = _create_runs(actor, upload_text.lengths_from(read.lines))
    outcome.notes = [(line.number, warning) for line in read.lines for warning in line.warnings]
    return outcome, _checked([(line.number, _entry_of_line(line, user)) for line in read.lines], [])


def _entry_of_line(line: UploadLine, user: str) -> NewEntry:
    return NewEntry(
        run=line.run,
        defect=line.defect,
        lumisections=line.lumisections,
        present=line.present,
        recoverable=line.recoverable,
        comment=line.comment,
        user=user,
    )


def _checked(entries: Sequence[tuple[int, NewEntry]], problems: list[tuple[int, str]]) -> list[NewEntry]:
    """The entries with lumisections as sets. Raises UploadRefused with these problems and those found."""
    register = Register({entry.run for _, entry in entries}, {entry.defect for _, entry in entries})
    found = []
    for line, entry in entries:
        try:
            resolved = register.resolve(entry)
        except Refusal as refusal:
            problems.append((line, refusal.message))
        else:
            found.append(replace(entry, lumisections=resolved.lumisections))
    if problems:
        raise UploadRefused(sorted(problems))
    return found


def _create_missing(actor: User | None, names: dict[str, int], options: Options) -> list[str]:
    """Primary defects for the names that are unknown, each in the system whose code begins its name."""
    known = known_defects(names)
    missing: dict[str, tuple[str, int]] = {}
    for name, line in sorted(names.items(), key=lambda pair: pair[1]):
        if key_of(name) not in known:
            missing.setdefault(key_of(name), (name, line))
    systems = sorted(System.objects.all(), key=lambda system: -len(system.code))
    other = system_named(options.system) if options.system else None
    new, problems = [], []
    for name, line in missing.values():
        system = _system_of(name, systems) or other
        if not NAME.fullmatch(name):
            problems.append((line, f"“{name[:60]}” is not a defect name: use ASCII letters, digits and underscores."))
        elif system is None:
            problems.append((line, f"{name} begins with the code of no system. Say with --system where it belongs."))
        else:
            new.append(NewDefect(name=name, system=system, description="Imported; not described yet."))
    if problems:
        raise UploadRefused(problems)
    if new:
        define_defects(actor=actor, definitions=new)
    return [one.name for one in new]


def _system_of(name: str, longest_first: Iterable[System]) -> System | None:
    key = key_of(name)
    for system in longest_first:
        code = key_of(system.code)
        if key == code or key.startswith(f"{code}_"):
            return system
    return None


def _create_runs(actor: User | None, lengths: dict[int, int]) -> dict[int, int]:
    """Give a length to the runs that have none; those that are known keep theirs."""
    known = known_runs(lengths)
    made = {run: last for run, last in sorted(lengths.items()) if run not in known or known[run].last == 0}
    for run, last in made.items():
        runs.put_run(actor=actor, run=run, facts={"lumisections": last})
    return made


def _not_imported_yet(entries: Sequence[NewEntry]) -> list[NewEntry]:
    """Without those that the history has from an import; what the file says twice must be there twice."""
    numbers = known_runs(entry.run for entry in entries)
    defects = known_defects(entry.defect for entry in entries)
    there: Counter[tuple[object, ...]] = Counter()
    keys = sorted({run.pk for run in numbers.values()})
    for at in range(0, len(keys), RUNS_AT_ONCE):
        rows = Entry.objects.filter(run_id__in=keys[at : at + RUNS_AT_ONCE], source=Source.IMPORT).order_by()
        there.update(
            rows.values_list(
                "run_id", "defect_id", "lumisections", "present", "recoverable", "user", "comment"
            ).iterator()
        )
    fresh = []
    for entry in entries:
        run, defect = numbers[entry.run].pk, defects[key_of(entry.defect)].pk
        same = (run, defect, entry.lumisections, entry.present, entry.recoverable, entry.user, entry.comment)
        if there[same]:
            there[same] -= 1
        else:
            fresh.append(entry)
    return fresh
