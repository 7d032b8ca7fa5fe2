"""Why, stretch by stretch: the lumisections of a defect cut where its causes change."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from .lumiset import LumiSet, bit_edges, trusted

Causes = list[tuple[LumiSet, tuple[str, ...]]]
Block = tuple[int, int, LumiSet]  # the first lumisection, the one after the last, and the set of them


class Cutter:
    """Cuts the defects of one run. They share causes: the blocks that a cause consists of are kept."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[Block]] = {}  # by the bits of a set

    def cut(self, causes: Sequence[tuple[str, int]], whole: int) -> Causes:
        """Maximal stretches with the same causes, from the bitset of each cause and the union of all of them.

        Causes come and are told in order.
        """
        if len(causes) == 1:
            ((label, bits),) = causes
            labels = (label,)
            return [(block, labels) for _, _, block in self._blocks_of(bits)]
        total = 0
        for _, bits in causes:
            total += bits
        return self._apart(causes) if total == whole else self._overlapping(causes)

    def _apart(self, causes: Sequence[tuple[str, int]]) -> Causes:
        """Where no two causes overlap, as most often, the stretches are the blocks of the causes."""
        found = []
        for label, bits in causes:
            labels = (label,)
            for first, _, block in self._blocks_of(bits):
                found.append((first, block, labels))
        found.sort(key=_FIRST)
        return [(block, labels) for _, block, labels in found]

    def _overlapping(self, causes: Sequence[tuple[str, int]]) -> Causes:
        """Cut where any cause begins or ends: neighbours differ in their causes then, or a gap lies between."""
        turns: dict[int, int] = {}  # by place: the causes, as flags, that begin or end there
        for index, (_, bits) in enumerate(causes):
            flag = 1 << index
            for first, after, _ in self._blocks_of(bits):
                turns[first] = turns.get(first, 0) ^ flag
                turns[after] = turns.get(after, 0) ^ flag
        known: dict[int, tuple[str, ...]] = {}  # labels by flags
        found: Causes = []
        start = state = 0
        for place in sorted(turns):
            if state:
                labels = known.get(state)
                if labels is None:
                    labels = tuple([label for index, (label, _) in enumerate(causes) if state >> index & 1])
                    known[state] = labels
                found.append((trusted((1 << place) - (1 << start)), labels))
            state ^= turns[place]
            start = place
        return found

    def _blocks_of(self, bits: int) -> list[Block]:
        blocks = self._blocks.get(bits)
        if blocks is None:
            blocks = self._blocks[bits] = _blocks(bits)
        return blocks


def _blocks(bits: int) -> list[Block]:
    found: list[Block] = []
    while bits:
        if len(found) == 8:  # clearing block after block copies the integer each time
            ends = iter(bit_edges(bits))
            found += [(first, end, trusted((1 << end) - (1 << first))) for first, end in zip(ends, ends, strict=True)]
            break
        low = bits & -bits
        rest = bits + low  # the carry clears the lowest block and stops right after it
        after = rest & -rest
        found.append((low.bit_length() - 1, after.bit_length() - 1, trusted(after - low)))
        bits &= rest
    return found


_FIRST = itemgetter(0)
