"""Whether histograms can be stored as they came: everything that is wrong with them, by element and lumisection."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from certifier.audit.errors import ErrorItem
from certifier.runs.models import Run
from mlcore.errors import MlcoreError
from mlcore.histograms import HistogramBlock

from . import axes
from .errors import HistogramsRefused
from .models import Element

MOST_BINS: Final = 1_000_000
MOST_AXES: Final = 3
LONGEST_PATH: Final = 200
LONGEST_GROUP: Final = 60
SHOWN_ERRORS: Final = 100


def joined(run: Run, blocks: Iterable[HistogramBlock]) -> dict[str, HistogramBlock]:
    """The blocks by element, those of one element joined, missing histograms left out, lumisections ascending.

    Raises HistogramsRefused naming each element and lumisection that cannot be.
    """
    found: dict[str, HistogramBlock] = {}
    problems: list[ErrorItem] = []
    for index, block in enumerate(blocks):
        if reason := _unfit(run, block):
            problems.append(_problem(index, reason))
            continue
        present = _complete(block)
        if not len(present):
            continue
        try:
            found[block.element] = _with(found.get(block.element), present)
        except MlcoreError as error:
            problems.append(_problem(index, str(error)))
    refuse(problems)
    return {element: _ascending(block) for element, block in found.items()}


def other_bins(run: Run, blocks: Iterable[HistogramBlock], elements: dict[str, Element]) -> None:
    """Raises HistogramsRefused for what does not have the axes that its element has."""
    problems = []
    for index, block in enumerate(blocks):
        element = elements.get(block.element)
        if element is not None and block.axes != (has := axes.known(element.axes)):
            reason = (
                f"{block.element} of {block.conditions.name(0)} has {axes.words(block.axes)}; the element has "
                f"{axes.words(has)}. Bins never change: send it under another path, or bin it as before."
            )
            problems.append(_problem(index, reason))
    refuse(problems)


def refuse(problems: list[ErrorItem]) -> None:
    if problems:
        raise HistogramsRefused(problems[0]["message"], errors=problems[:SHOWN_ERRORS])


def _problem(index: int, reason: str) -> ErrorItem:
    return {"index": index, "field": "histograms", "message": reason}


def _unfit(run: Run, block: HistogramBlock) -> str:
    """Why this block can be no histograms of this run; empty when it can."""
    if reason := unfit_path(block.element):
        return reason
    if len(block.physics_object) > LONGEST_GROUP:
        return f"{block.element}: the physics object has more than {LONGEST_GROUP} characters."
    if not 1 <= len(block.axes) <= MOST_AXES or math.prod(block.bins) > MOST_BINS:
        return f"{block.element}: a histogram has 1 to {MOST_AXES} axes and at most {MOST_BINS:,} bins."
    others = block.conditions.run[block.conditions.run != run.number]
    if others.size:
        return f"{block.element}: these are histograms of run {others[0]}, not of run {run.number}."
    beyond = block.conditions.lumisection[block.conditions.lumisection > run.last_lumisection]
    if beyond.size:
        return (
            f"{block.element}: lumisection {beyond[0]} is beyond the end of run {run.number}, "
            f"{run.last_lumisection}. Send the lumisections of the run first (PUT runs/{run.number}/lumisections/)."
        )
    return ""


def unfit_path(path: str) -> str:
    """Why this can be no path of an element: it stands in addresses, so it is words between slashes."""
    words = path.split("/")
    if not path.strip() or len(path) > LONGEST_PATH:
        return f"The path of an element has 1 to {LONGEST_PATH} characters."
    if not path.isprintable():
        return f"“{path[:80]!r}”: the path of an element holds printable characters only."
    if any(not word.strip() or word.strip(".") == "" for word in words):
        return f"“{path[:80]}”: the path of an element is words with single slashes between, none of them only dots."
    return ""


def _complete(block: HistogramBlock) -> HistogramBlock:
    """Without the missing histograms; flow that is not known is none."""
    present = block.select(~block.missing)
    assert present.flow is not None
    return replace(present, flow=np.nan_to_num(present.flow, nan=0.0)) if np.isnan(present.flow).any() else present


def _with(known: HistogramBlock | None, block: HistogramBlock) -> HistogramBlock:
    """Raises IncompatibleBinning, or MlcoreError where a lumisection comes twice."""
    if known is None:
        return block
    twice = np.intersect1d(known.conditions.lumisection, block.conditions.lumisection)
    if twice.size:
        raise MlcoreError(f"{block.element}: lumisection {twice[0]} comes twice; send each histogram once.")
    return HistogramBlock.concatenate([known, block])


def _ascending(block: HistogramBlock) -> HistogramBlock:
    lumisections = block.conditions.lumisection
    if np.all(np.diff(lumisections) > 0):
        return block
    return block.select(np.argsort(lumisections))
