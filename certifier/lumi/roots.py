"""From a virtual defect down to the primary ones that make it present."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .evaluation import Evaluation
from .programs import contributions


def roots(evaluation: Evaluation, names: Iterable[str]) -> dict[str, int]:
    """Which primary defects are behind any of these being present, and where: bitsets by name, none empty.

    Together they are all of where the defects are. They are the causes of these, with a virtual cause replaced by
    its own causes on the same lumisections, and so on; a negated cause stands for itself, with `!` before it. There
    is nothing where a defect is unknown. Raises as `Evaluation.causes` does.
    """
    bounds, junctions, labels = evaluation._bounds, evaluation._junctions, evaluation._slots.names
    wholly, rest = evaluation._plan.wholly_behind(frozenset(evaluation._slot(name) for name in names))
    found = {labels[slot]: bits for slot in wholly if (bits := bounds.lower[slot])}
    waiting = {slot: bits for slot in rest if (bits := bounds.lower[slot])}
    # A slot is higher than all that its expression names: when one is reached, every use of it has been seen.
    while waiting:
        slot = max(waiting)
        active = waiting.pop(slot)
        for cause, everywhere in contributions(junctions[slot], bounds, active).items():
            bits = everywhere & active
            if bits and cause in junctions:
                waiting[cause] = waiting.get(cause, 0) | bits
            elif bits:
                label = labels[cause] if cause >= 0 else f"!{labels[~cause]}"
                found[label] = found.get(label, 0) | bits
    return found


def recoverable_part(evaluation: Evaluation, name: str, recoverable: Mapping[str, int]) -> int:
    """Where the defect is present and every root behind it is recoverable (bitsets by primary defect). The same as
    `Evaluation.recoverable`, for one defect and without asking all that lies in between.
    """
    final = 0
    for root, bits in roots(evaluation, [name]).items():
        final |= bits & ~recoverable.get(root, 0)
    return evaluation.bits[name] & ~final
