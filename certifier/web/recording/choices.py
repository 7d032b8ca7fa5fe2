"""The defects that somebody may mean who types a part of a name: with what they are and how much they are used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from certifier.defects import selectors
from certifier.defects.logic_at import Definitions, Meaning
from certifier.defects.naming import key_of

SHOWN = 12
# So many of the best by name are counted; how much a defect is used decides among these.
COUNTED = 60


@dataclass(frozen=True)
class Choice:
    meaning: Meaning
    # Entries, and runs with entries, of all time.
    entries: int
    runs: int


def choices(definitions: Definitions, text: str, systems: Collection[int]) -> list[Choice]:
    """Of these systems, the best first: the name begins so, a part of it does, it is in it, in the description; and of
    these the more used. Words may come in any order: "noise emec". One query."""
    words = key_of(text).replace("_", " ").split()
    ranked: list[tuple[int, str, Meaning]] = []
    for meaning in definitions.primaries():
        if meaning.system in systems:
            rank = rank_of(meaning, words)
            if rank is not None:
                ranked.append((rank, key_of(meaning.name), meaning))
    ranked.sort(key=lambda one: one[:2])
    best = ranked[:COUNTED]
    used = selectors.brief_usage([meaning.defect for _, _, meaning in best])
    found = []
    for rank, name, meaning in best:
        entries, runs, _ = used.get(meaning.defect, (0, 0, 0))
        found.append((rank, -entries, name, Choice(meaning, entries, runs)))
    found.sort(key=lambda one: one[:3])
    return [choice for *_, choice in found[:SHOWN]]


def rank_of(meaning: Meaning, words: Sequence[str]) -> int | None:
    """None when a word is nowhere in it."""
    name = key_of(meaning.name)
    if not words:
        return 0
    if name.startswith("_".join(words)):
        return 0
    parts = name.split("_")
    if all(any(part.startswith(word) for part in parts) for word in words):
        return 1
    if all(word in name for word in words):
        return 2
    about = f"{name} {meaning.description.lower()}"
    return 3 if all(word in about for word in words) else None
