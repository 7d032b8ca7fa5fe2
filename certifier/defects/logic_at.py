"""What the defects were called and meant at a logic version, ready to be evaluated.

A closed version never changes, so what was built for it is kept. Its key holds the moment it was made besides its
number: after a roll-back, or in a restored database, the same number may be given again to another change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from certifier.lumi import Logic

from .models import Definition, LogicVersion
from .naming import key_of


@dataclass(frozen=True, slots=True)
class Meaning:
    """One definition in force."""

    defect: int
    name: str
    system: int
    system_code: str
    description: str
    expression: str | None
    intolerable: bool
    since: int
    needs_comment: bool = False

    @property
    def is_virtual(self) -> bool:
        return self.expression is not None


class Definitions(dict[str, Meaning]):
    """The definitions in force by name (stored spelling), in the order of names ignoring case."""

    def __init__(self, meanings: dict[str, Meaning], version: int) -> None:
        super().__init__(meanings)
        self.version = version
        self.by_defect = {meaning.defect: meaning for meaning in self.values()}
        self._by_key = {key_of(name): meaning for name, meaning in self.items()}

    def find(self, name: str) -> Meaning | None:
        """The definition of that name, ignoring case."""
        return self._by_key.get(key_of(name))

    def primaries(self) -> Iterator[Meaning]:
        return (meaning for meaning in self.values() if not meaning.is_virtual)

    def virtuals(self) -> Iterator[Meaning]:
        return (meaning for meaning in self.values() if meaning.is_virtual)


class LogicAt(NamedTuple):
    """`logic, definitions = logic_at(version)`"""

    logic: Logic
    definitions: Definitions


def logic_at(version: int | None = None) -> LogicAt:
    """The logic and the definitions at a version; None is HEAD, and 0 the time before the first definition.

    One small query for HEAD, and none of the definitions when this process has built that version before.
    Raises LogicVersion.DoesNotExist for a number that no version has.
    """
    if version is None:
        newest = LogicVersion.objects.order_by("-number").values_list("number", "at").first()
        if newest is None:
            return _build(0, None)
        return _build(*newest)
    if version == 0:
        return _build(0, None)
    return _build(version, LogicVersion.objects.values_list("at", flat=True).get(number=version))


def logic_built(number: int | None, at: datetime | None) -> LogicAt:
    """For who has read already which version is the newest, and when it was made; None before the first. No query when
    this process has built it before."""
    return _build(number or 0, at)


@lru_cache(maxsize=16)
def _build(version: int, at: datetime | None) -> LogicAt:
    return build(read_definitions(version))


def build(definitions: Definitions) -> LogicAt:
    """The logic of these definitions. Raises lumi's UnknownName or CyclicDefinition when they make none."""
    expressions = {meaning.name: meaning.expression or "" for meaning in definitions.virtuals()}
    primaries = [meaning.name for meaning in definitions.primaries()]
    return LogicAt(Logic(expressions, primaries), definitions)


def read_definitions(version: int) -> Definitions:
    """The newest definition of every defect up to the version, from the database."""
    rows = (
        Definition.objects.filter(version_id__lte=version)
        .order_by("defect_id", "version_id")
        .values_list(
            "defect_id",
            "name",
            "system_id",
            "system__code",
            "description",
            "expression",
            "intolerable",
            "version_id",
            "needs_comment",
        )
    )
    newest: dict[int, Meaning] = {row[0]: Meaning(*row) for row in rows}
    ordered = sorted(newest.values(), key=lambda meaning: key_of(meaning.name))
    return Definitions({meaning.name: meaning for meaning in ordered}, version)
