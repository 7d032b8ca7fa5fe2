"""Taking an entry back where nothing is ever taken away: new entries that say again what held before it."""

from __future__ import annotations

from collections.abc import Sequence

from certifier.lumi import LumiSet

from .entry_input import MAX_COMMENT, NewEntry
from .models import Entry
from .resolution import Said, told

CUT = "…"


def visible_of(entry: Entry, later: Sequence[Entry]) -> LumiSet:
    """Where the entry is the last word: what later ones of its defect cover is theirs."""
    lumisections = entry.lumisections
    for one in later:
        lumisections -= one.lumisections
    return lumisections


def restoring(entry: Entry, earlier: Sequence[Entry], where: LumiSet) -> list[NewEntry]:
    """What says again, on these lumisections, what held before the entry. Where nothing was said, absent: that is what
    nothing said amounts to."""
    said = [
        Said(one.lumisections.bits, one.present, one.recoverable, one.user, one.comment, one.entered_at)
        for one in earlier
    ]
    held = [(one, LumiSet.from_bits(one.bits)) for one in told(said, where.bits)]
    found = [
        _again(
            entry, lumisections, one.present, one.recoverable,
            _restored(one.comment, f"{one.user} said, entry {entry.pk} undone"),
        )
        for one, lumisections in held
    ]  # fmt: skip
    left = where
    for _, lumisections in held:
        left -= lumisections
    if left:
        found.append(_again(entry, left, False, False, f"entry {entry.pk} undone; nothing was said here before"))
    return found


def _again(entry: Entry, lumisections: LumiSet, present: bool, recoverable: bool, comment: str) -> NewEntry:
    return NewEntry(
        run=entry.run.number,
        defect=entry.defect.name,
        lumisections=lumisections,
        present=present,
        recoverable=recoverable,
        comment=comment,
    )


def _restored(comment: str, why: str) -> str:
    """The comment that stood there, and why it stands there again; as long as a comment may be."""
    if not comment:
        return f"[{why}]"
    room = MAX_COMMENT - len(why) - 3
    kept = comment if len(comment) <= room else comment[: room - 1] + CUT
    return f"{kept} [{why}]"
