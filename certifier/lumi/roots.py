"""From a virtual defect down to the primary ones that make it present."""

from __future__ import annotations

from collections.abc import Iterable

from .evaluation import Evaluation
from .programs import contributions


def roots(evaluation: Evaluation, names: Iterable[str]) -> dict[str, int]:
    """Which primary defects are behind any of these being present, and where: bitsets by name, none empty.

    Together they are all of where the defects are. They are the causes of these, with a virtual cause replaced by
    its own causes on the same lumisections, and so on; a negated cause stands for itself, with `!` before it. There
    is nothing where a defect is unknown. Raises as `Evaluation.causes` does.
    """
    bounds, junctions, labels = evaluation._bounds, evaluation._junctions, evaluation._slots.names
    waiting: dict[int, int] = {}
    for name in names:
        slot = evaluation._slot(name)
        waiting[slot] = bounds.lower[slot]
    found: dict[str, int] = {}
    # A slot is higher than all that its expression names: when one is reached, every use of it has been seen.
    for slot in sorted(junctions, reverse=True):
        active = waiting.pop(slot, 0)
        if not active:
            continue
        for cause, everywhere in contributions(junctions[slot], bounds, active).items():
            bits = everywhere & active
            if bits and cause >= 0:
                waiting[cause] = waiting.get(cause, 0) | bits
            elif bits:
                label = f"!{labels[~cause]}"
                found[label] = found.get(label, 0) | bits
    for slot, bits in waiting.items():
        if bits:
            found[labels[slot]] = bits
    return found
