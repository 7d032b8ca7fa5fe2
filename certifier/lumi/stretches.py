"""Why, stretch by stretch: the lumisections of a defect cut where its causes change."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from .lumiset import LumiSet, bit_edges, trusted

Causes = list[tuple[LumiSet, tuple[str, ...]]]


class Cutter:
    """Cuts the defects of one run. They share causes: the blocks that a cause consists of are kept."""

    def __init__(self) -> None:
        # By the bits of a set, its maximal blocks: the first lumisection, the one after the last, and the block itself.
        self._blocks: dict[int, list[tuple[int, int, LumiSet]]] = {}

    def cut(self, causes: Sequence[tuple[str, int]]) -> Causes:
        """Maximal stretches with the same causes, from the bitset of each cause. Causes come and are told in order."""
        union = total = 0
        for _, bits in causes:
            union |= bits
            total += bits
        return self._apart(causes) if total == union else self._overlapping(causes)

    def _apart(self, causes: Sequence[tuple[str, int]]) -> Causes:
        """Where no two causes overlap, as most often, the stretches are the blocks of the causes."""
        found = []
        for label, bits in causes:
            labels = (label,)
            found += [(first, block, labels) for first, _, block in self._blocks_of(bits)]
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

    def _blocks_of(self, bits: int) -> list[tuple[int, int, LumiSet]]:
        blocks = self._blocks.get(bits)
        if blocks is None:
            ends = iter(bit_edges(bits))
            blocks = [
                (first, after, trusted((1 << after) - (1 << first))) for first, after in zip(ends, ends, strict=True)
            ]
            self._blocks[bits] = blocks
        return blocks


_FIRST = itemgetter(0)
