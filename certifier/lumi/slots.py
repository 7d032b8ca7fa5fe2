"""`Slots`: every defect has a number, by which its bitset is found without looking at its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .errors import LumiError, UnknownName, shown


class Slots:
    """Primary defects first, then the virtual ones, each after those that it depends on."""

    def __init__(self, names: Sequence[str], primaries: int) -> None:
        self.names = tuple(names)
        self.primaries = primaries
        self.by_key = {name.lower(): slot for slot, name in enumerate(names)}
        # As it is spelled, too: the way most callers name a defect needs no folding then.
        self._by_name = self.by_key | {name: slot for slot, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.names)

    def of(self, name: str) -> int:
        """The slot of the defect, in any case. Raises UnknownName."""
        slot = self._by_name.get(name)
        if slot is None:
            slot = self.by_key.get(name.lower())
        if slot is None:
            raise UnknownName(f"there is no defect {shown(name)}; check the name, or define it first.", [name])
        return slot

    def primary(self, name: str) -> int:
        """The slot of a primary defect. Raises UnknownName, and LumiError for a virtual defect."""
        slot = self._by_name.get(name)
        if slot is None:
            slot = self.of(name)
        if slot >= self.primaries:
            raise LumiError(f"{shown(name)} is virtual: it follows from other defects, it is not recorded.")
        return slot

    def in_order(self, slots: Iterable[int]) -> tuple[int, ...]:
        """The slots in the order of their names."""
        return tuple(sorted(slots, key=self.names.__getitem__))

    def is_virtual(self, slot: int) -> bool:
        return slot >= self.primaries
