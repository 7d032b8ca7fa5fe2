"""`Evaluation`: what the defects of one run are and, when asked, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .errors import LumiError, shown
from .lumiset import LumiSet, trusted
from .plan import Plan
from .programs import Bounds, contributions
from .slots import Slots
from .stretches import Causes, Cutter


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
        self._cutter = Cutter()

    @property
    def domain(self) -> LumiSet:
        """The lumisections that were asked about."""
        return trusted(self._bounds.domain)

    @property
    def bits(self) -> Mapping[str, int]:
        """Where each defect is surely present, as bitsets: all primary defects and the evaluated virtual ones."""
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
        whole = self._bounds.lower[slot]
        return self._cutter.cut(self._labelled(slot), whole) if whole else []

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

    def _labelled(self, slot: int) -> list[tuple[str, int]]:
        """The causes of a defect as they are written, sorted, each with the bitset of where it is one."""
        names, lower = self._slots.names, self._bounds.lower
        junction = self._junctions.get(slot)
        if junction is not None and junction.is_plain:  # its members are sorted by name
            causes = []
            for cause in junction.present:
                bits = lower[cause]
                if bits:
                    causes.append((names[cause], bits))
            return causes
        found = self._contributed(slot) if self._slots.is_virtual(slot) else {slot: lower[slot]}
        return sorted([(names[cause] if cause >= 0 else f"!{names[~cause]}", bits) for cause, bits in found.items()])

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
