"""`Plan`: the order of work of an evaluation, made once and used for every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .programs import Bounds, Junction, Program

Users = tuple[int, ...]
Recorded = Sequence[tuple[int, int]]  # slots of primary defects and their bitsets


@dataclass(frozen=True, slots=True)
class Plan:
    """Which virtual defects are evaluated, by slot and in dependency order, and what is ignored.

    Of all defects of a run only few are present anywhere. So a plain `or`, and nearly all are, is not
    computed from its terms: each defect that is present somewhere is added to the `or`s that name it, its
    `users`.
    """

    junctions: Mapping[int, Junction]
    ignored: frozenset[int]
    users: tuple[Users, ...]  # by slot
    steps: tuple[tuple[int, Program | None, Users], ...]
    # Answers of `wholly_behind`.
    _wholly: dict[frozenset[int], tuple[Users, Users]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, junctions: Mapping[int, Junction], ignored: frozenset[int], slots: int) -> Plan:
        users: list[list[int]] = [[] for _ in range(slots)]
        for slot, junction in junctions.items():
            if junction.is_plain:
                for member in junction.present:
                    users[member].append(slot)
        frozen = tuple(map(tuple, users))
        steps = [
            (slot, None if junction.is_plain else junction.program, frozen[slot])
            for slot, junction in junctions.items()
            if frozen[slot] or not junction.is_plain
        ]
        return cls(junctions, ignored, frozen, tuple(steps))

    def run(self, present: Recorded, unknown: Recorded, domain: int) -> Bounds:
        """The bounds of all defects from what is recorded, and what is not known, of the primary ones."""
        lower = self._filled([0] * len(self.users), present, domain)
        upper = self._filled(lower.copy(), unknown, domain) if unknown else lower
        for slot, program, users in self.steps:
            if program is not None:
                lower[slot] = program(lower, upper, domain)
            bits = lower[slot]
            if bits:
                for user in users:
                    lower[user] |= bits
            if unknown:
                if program is not None:
                    upper[slot] = program(upper, lower, domain)
                for user in users:
                    upper[user] |= upper[slot]
        return Bounds(lower, upper, domain)

    def wholly_behind(self, slots: frozenset[int]) -> tuple[Users, Users]:
        """What has a part in any of these defects wherever it is present itself, as one of them or a member of plain
        `or`s all the way up: the defects without an expression, and the virtual ones whose expression is no plain `or`.
        """
        known = self._wholly.get(slots)
        if known is None:
            found = set(slots)
            waiting = list(slots)
            while waiting:
                junction = self.junctions.get(waiting.pop())
                if junction is not None and junction.is_plain:
                    new = set(junction.present) - found
                    found |= new
                    waiting += new
            last = tuple(sorted(found - self.junctions.keys()))
            rest = tuple(sorted(slot for slot in found & self.junctions.keys() if not self.junctions[slot].is_plain))
            known = self._wholly[slots] = (last, rest)
        return known

    def _filled(self, values: list[int], given: Recorded, domain: int) -> list[int]:
        for slot, recorded in given:
            bits = recorded & domain
            if bits and slot not in self.ignored:
                values[slot] |= bits
                for user in self.users[slot]:
                    values[user] |= bits
        return values
