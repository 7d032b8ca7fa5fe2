"""What an upload would change, line by line, and recording it: all lines or none.

A line is compared with what holds now on the lumisections on which no later line of the same upload speaks of the same
defect. When nothing of a defect would differ, not even a comment, none of its lines is written: that is why the same
text sent twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.unit import SYSTEM, unit_of_work
from certifier.lumi import LumiSet

from . import upload_text
from .entry_input import ENTRIES_PER_REQUEST, KnownRun, NewEntry, Refusal, Register, Resolved
from .errors import TooManyEntries, UploadRefused
from .models import Entry, Source
from .services import record_entries
from .upload_text import UploadLine

# How many lines below are searched for the one that wins; only a message depends on it.
SOUGHT_BELOW = 200


class Payload(NamedTuple):
    """What can be said of a lumisection."""

    present: bool
    recoverable: bool
    user: str
    comment: str

    def state(self) -> tuple[bool, bool]:
        return self.present, self.present and self.recoverable


class Overridden(NamedTuple):
    """Somebody's word that the line takes back."""

    user: str
    lumisections: LumiSet
    present: bool
    recoverable: bool
    comment: str


@dataclass(slots=True)
class PlannedLine:
    """What one line would do. The sets speak of the lumisections on which no later line of the upload wins."""

    number: int
    resolved: Resolved
    changes: bool = False
    becomes_present: LumiSet = field(default_factory=LumiSet)
    becomes_absent: LumiSet = field(default_factory=LumiSet)
    becomes_recoverable: LumiSet = field(default_factory=LumiSet)
    becomes_unrecoverable: LumiSet = field(default_factory=LumiSet)
    already_so: LumiSet = field(default_factory=LumiSet)
    overrides: list[Overridden] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def payload(self) -> Payload:
        entry = self.resolved.entry
        return Payload(entry.present, entry.recoverable, entry.user or "", entry.comment)


@dataclass(frozen=True, slots=True)
class Upload:
    """The plan and, unless it was a dry run, the entries that were written."""

    lines: Sequence[PlannedLine]
    entries: Sequence[Entry]
    dry_run: bool

    @property
    def changing(self) -> int:
        return sum(line.changes for line in self.lines)

    @property
    def message(self) -> str:
        total, changing = len(self.lines), self.changing
        lines = "1 line" if total == 1 else f"{total} lines"
        if not changing:
            return f"Nothing changes: what the {lines} say{'s' if total == 1 else ''} is recorded already."
        verb = "would be recorded" if self.dry_run else "recorded"
        rest = f"; {total - changing} say what is recorded already" if total > changing else ""
        return f"{changing} of {lines} {verb}{rest}." if rest else f"{lines} {verb}."


def record_upload(*, actor: User | None, text: str, dry_run: bool = False, source: str = Source.UPLOAD) -> Upload:
    """Read an upload text and record what it changes: all lines or none, nothing when it was said before.

    Shifters, experts of the defects' systems, and coordinators; a dry run asks the same. Raises UploadRefused naming
    every bad line, TooManyEntries above 20,000 lines.
    """
    reading = upload_text.read(text)
    if len(reading.lines) > ENTRIES_PER_REQUEST:
        raise TooManyEntries(
            f"The upload has {len(reading.lines)} lines; at most {ENTRIES_PER_REQUEST} at once. "
            "Split it at an @RUN line."
        )
    with unit_of_work(actor):
        user = actor.get_username() if actor else SYSTEM
        lines = resolve_lines(reading.lines, user=user, problems=reading.problems)
        for system in sorted({line.resolved.defect.system for line in lines}):
            permissions.require(permissions.can_record_defects(actor, system))
        plan(lines)
        entries: list[Entry] = []
        changing = [line.resolved.entry for line in lines if line.changes]
        if changing and not dry_run:
            entries = record_entries(actor=actor, entries=changing, source=source)
    return Upload(lines, entries, dry_run)


def resolve_lines(
    lines: Sequence[UploadLine], *, user: str, problems: Sequence[tuple[int, str]] = ()
) -> list[PlannedLine]:
    """The lines against the books. Raises UploadRefused with these problems and those found, in order of lines."""
    register = Register({line.run for line in lines}, {line.defect for line in lines})
    found: list[PlannedLine] = []
    refused = list(problems)
    for line in lines:
        entry = NewEntry(
            run=line.run,
            defect=line.defect,
            lumisections=line.lumisections,
            present=line.present,
            recoverable=line.recoverable,
            comment=line.comment,
            user=user,
        )
        try:
            resolved = register.resolve(entry)
        except Refusal as refusal:
            refused.append((line.number, refusal.message))
            continue
        found.append(PlannedLine(line.number, resolved, warnings=[*line.warnings, *_remarks(line, resolved.run)]))
    if refused:
        raise UploadRefused(sorted(refused))
    return found


def _remarks(line: UploadLine, run: KnownRun) -> list[str]:
    remarks = []
    if line.lumisections == upload_text.WHOLE_RUN:
        remarks.append(f"the whole run, lumisections 1-{run.last}")
    if not line.comment:
        remarks.append("no comment: the next reader will ask why")
    return remarks


def plan(lines: Sequence[PlannedLine]) -> None:
    """Fill in what each line changes, from what holds now."""
    groups: dict[tuple[int, int], list[PlannedLine]] = {}
    for line in lines:
        groups.setdefault((line.resolved.run.pk, line.resolved.defect.pk), []).append(line)
    for key, held in segments_now(groups).items():
        _plan_group(groups[key], held)


Segments = dict[Payload, int]


def segments_now(groups: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Segments]:
    """(run, defect) -> payload -> lumisections (bits) on which it holds now."""
    by_run: dict[int, list[int]] = {}
    found: dict[tuple[int, int], Segments] = {}
    for run, defect in groups:
        by_run.setdefault(run, []).append(defect)
        found[run, defect] = {}
    for run, defects in by_run.items():
        rows = Entry.objects.filter(run_id=run, defect_id__in=defects).order_by("id")
        fields = ("present", "recoverable", "user", "comment")
        for defect, lumisections, *payload in rows.values_list("defect_id", "lumisections", *fields):
            say(found[run, defect], Payload(*payload), lumisections.bits)
    return found


def say(held: Segments, payload: Payload, bits: int) -> None:
    """A later word wins where it overlaps."""
    for other in list(held):
        held[other] &= ~bits
        if not held[other]:
            del held[other]
    held[payload] = held.get(payload, 0) | bits


def _plan_group(lines: Sequence[PlannedLine], held: Segments) -> None:
    """The lines of one defect in one run, in their order; `held` is what holds before them."""
    later = 0
    differs = False
    for place, line in reversed(list(enumerate(lines))):
        bits = line.resolved.lumisections.bits
        visible = bits & ~later
        if visible != bits:
            line.warnings.append(_said_again(line, lines[place + 1 : place + 1 + SOUGHT_BELOW]))
        later |= bits
        _describe(line, visible, held)
        differs = differs or bool(visible & ~held.get(line.payload, 0))
    if not differs:
        return
    now = dict(held)
    for line in lines:
        bits = line.resolved.lumisections.bits
        line.changes = bool(bits & ~now.get(line.payload, 0))
        say(now, line.payload, bits)


def _said_again(line: PlannedLine, below: Sequence[PlannedLine]) -> str:
    here = line.resolved.lumisections
    numbers = [str(other.number) for other in below if not other.resolved.lumisections.isdisjoint(here)]
    where = f"line {', '.join(numbers[:5])}" if numbers else "a line"
    return f"{where} below speaks of the same lumisections and wins there"


def _describe(line: PlannedLine, visible: int, held: Segments) -> None:
    payload = line.payload
    present = _union(held, lambda other: other.present)
    recoverable = _union(held, lambda other: other.state()[1])
    absent = _union(held, lambda other: not other.present)
    if payload.present:
        line.becomes_present = LumiSet.from_bits(visible & ~present)
        if payload.recoverable:
            line.becomes_recoverable = LumiSet.from_bits(visible & ~recoverable)
        else:
            line.becomes_unrecoverable = LumiSet.from_bits(visible & recoverable)
        so = recoverable if payload.recoverable else present & ~recoverable
        line.already_so = LumiSet.from_bits(visible & so)
    else:
        line.becomes_absent = LumiSet.from_bits(visible & ~absent)
        line.already_so = LumiSet.from_bits(visible & absent)
        if not visible & (present | absent):
            line.warnings.append("nobody has recorded it on these lumisections, so there is nothing to take back")
    for other, bits in held.items():
        if bits & visible and other.state() != payload.state():
            lumisections = LumiSet.from_bits(bits & visible)
            line.overrides.append(Overridden(other.user, lumisections, other.present, other.recoverable, other.comment))
    line.overrides.sort(key=lambda one: one.lumisections.first or 0)


def _union(held: Segments, wanted: Callable[[Payload], bool]) -> int:
    bits = 0
    for payload, where in held.items():
        if wanted(payload):
            bits |= where
    return bits
