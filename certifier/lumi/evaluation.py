"""`Evaluation`: what the defects of one run are and, when asked, why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from .errors import LumiError, shown
from .lumiset import LumiSet, bit_numbers, bit_ranges, trusted
from .plan import Plan
from .programs import Bounds, contributions
from .slots import Slots

Causes = list[tuple[LumiSet, tuple[str, ...]]]


class Evaluation:
    """The answers for one run. For every defect `present`, `absent` and `unknown` partition the domain.

    Asking for a defect that was left out by `only` raises LumiError, for one that does not exist UnknownName.
    `Logic.evaluate` makes evaluations.
    """

    def __init__(self, slots: Slots, plan: Plan, bounds: Bounds) -> None:
        self._slots = slots
        self._plan = plan
        self._bounds = bounds
        self._junctions = plan.junctions
        self._contributions: dict[int, dict[int, int]] = {}

    @property
    def domain(self) -> LumiSet:
        """The lumisections that were asked about."""
        return trusted(self._bounds.domain)

    @property
    def bits(self) -> Mapping[str, int]:
        """Where each defect is surely present, as bitsets: all primary defects and the evaluated virtual
        ones.
        """
        return _PresentBits(self)

    def present(self, name: str) -> LumiSet:
        """Where the defect is, whatever the unknown may be."""
        return trusted(self._bounds.lower[self._slot(name)])

    def absent(self, name: str) -> LumiSet:
        """Where the defect is not, whatever the unknown may be."""
        return trusted(self._bounds.domain & ~self._bounds.upper[self._slot(name)])

    def unknown(self, name: str) -> LumiSet:
        """Where it depends on what is unknown."""
        slot = self._slot(name)
        return trusted(self._bounds.upper[slot] & ~self._bounds.lower[slot])

    def causes(self, name: str) -> Causes:
        """Why it is present: maximal stretches `first..last`, ascending, each with its sorted causes.

        Causes are the members of the expression that make it true there, a negated one with `!` before it:
        of an `or` those members that are true, of an `and` all; of a `not` the reasons why the inside is
        false. A primary defect is its own cause. There are none where the defect is unknown.
        """
        slot = self._slot(name)
        if not self._slots.is_virtual(slot):
            return _stretches({slot: self._bounds.lower[slot]}, self._slots.names)
        return _stretches(self._contributed(slot), self._slots.names)

    def roots(self, name: str) -> dict[str, int]:
        """Which primary defects are behind its presence, and where: bitsets by name, together all of where
        it is.

        Its causes, with a virtual one replaced by the causes of that, on the same lumisections, and so on. A
        negated cause stands for itself, with `!` before it. There is nothing where the defect is unknown.
        """
        slot = self._slot(name)
        waiting = {slot: self._bounds.lower[slot]}
        found: dict[str, int] = {}
        while waiting:
            # A definition comes after all it names: once it is the last one left, all its lumisections are
            # known.
            here = max(waiting)
            active = waiting.pop(here)
            junction = self._junctions.get(here)
            if junction is None:
                if active:
                    found[self._slots.names[here]] = active
                continue
            for cause, bits in contributions(junction, self._bounds, active).items():
                if cause >= 0:
                    waiting[cause] = waiting.get(cause, 0) | bits
                else:
                    label = f"!{self._slots.names[~cause]}"
                    found[label] = found.get(label, 0) | bits
        return found

    def recoverable(self, name: str, recoverable: Mapping[str, int]) -> LumiSet:
        """Where it is present and every cause of it is recoverable, down to the primary defects.

        `recoverable` gives bitsets by primary defect. A negated cause is not recoverable. Raises UnknownName
        and LumiError as `Logic.evaluate` does.
        """
        slot = self._slot(name)
        return trusted(self._recoverable(self._behind(slot), recoverable)[slot])

    def recoverable_bits(self, recoverable: Mapping[str, int]) -> dict[str, int]:
        """The same for every evaluated virtual defect at once, as bitsets by name."""
        slots = list(self._junctions)
        found = self._recoverable(slots, recoverable)
        return {self._slots.names[slot]: found[slot] for slot in slots}

    # -- how ---------------------------------------------------------------------------------------

    def _slot(self, name: str) -> int:
        slot = self._slots.of(name)
        if self._slots.is_virtual(slot) and slot not in self._junctions and slot not in self._plan.ignored:
            raise LumiError(f"{shown(name)} was not evaluated; add it to `only`.")
        return slot

    def _contributed(self, slot: int) -> dict[int, int]:
        """Where each literal is among the causes of a virtual defect; nothing for an ignored one."""
        found = self._contributions.get(slot)
        if found is None:
            junction = self._junctions.get(slot)
            found = contributions(junction, self._bounds, self._bounds.lower[slot]) if junction else {}
            self._contributions[slot] = found
        return found

    def _behind(self, slot: int) -> list[int]:
        """The virtual defects among its causes, their causes and so on, in dependency order, itself last."""
        found: set[int] = set()
        waiting = [slot]
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                waiting.extend(cause for cause in self._contributed(here) if self._slots.is_virtual(cause))
        return sorted(found)

    def _recoverable(self, in_order: list[int], recoverable: Mapping[str, int]) -> dict[int, int]:
        """By slot, for the given virtual defects and all primary ones."""
        found: dict[int, int] = {}
        for name, bits in recoverable.items():
            slot = self._slots.primary(name)
            found[slot] = found.get(slot, 0) | bits & self._bounds.lower[slot]
        for slot in in_order:
            final = 0
            for cause, bits in self._contributed(slot).items():
                final |= bits & ~found.get(cause, 0)  # a negated cause is never in there
            if self._slots.is_virtual(slot):
                found[slot] = self._bounds.lower[slot] & ~final
            else:
                found.setdefault(slot, 0)
        return found


class _PresentBits(Mapping[str, int]):
    """A view on the lower bounds: no dictionary is built for a caller who wants one or two names."""

    __slots__ = ("_evaluation",)

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def __getitem__(self, name: str) -> int:
        return self._evaluation._bounds.lower[self._evaluation._slot(name)]

    def __iter__(self) -> Iterator[str]:
        slots = self._evaluation._slots
        yield from slots.names[: slots.primaries]
        yield from (slots.names[slot] for slot in self._evaluation._junctions)

    def __len__(self) -> int:
        return self._evaluation._slots.primaries + len(self._evaluation._junctions)


def _stretches(contributed: Mapping[int, int], names: tuple[str, ...]) -> Causes:
    """Cut where any contribution begins or ends: neighbours have different causes then, or a gap between."""
    labelled = sorted(
        (names[literal] if literal >= 0 else f"!{names[~literal]}", bits) for literal, bits in contributed.items()
    )
    toggled: dict[int, int] = defaultdict(int)  # by place: the causes, as flags, that begin or end there
    for index, (_, bits) in enumerate(labelled):
        for first, last in bit_ranges(bits):
            toggled[first] ^= 1 << index
            toggled[last + 1] ^= 1 << index
    found: Causes = []
    seen: dict[int, tuple[str, ...]] = {}
    start = state = 0
    for place in sorted(toggled):
        if state:
            causes = seen.get(state)
            if causes is None:
                causes = seen[state] = tuple([labelled[index][0] for index in bit_numbers(state)])
            found.append((trusted((1 << place) - (1 << start)), causes))
        state ^= toggled[place]
        start = place
    return found
