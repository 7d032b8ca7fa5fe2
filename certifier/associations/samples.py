"""Is a run like its reference, and what differs: a classifier that tells their lumisections apart, judged by permuting
blocks of them. Only workers come here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from certifier.defects.logic_at import logic_at
from certifier.defects.presence import present_in
from certifier.lumi import LumiSet
from certifier.monitoring.selectors import Coverage, coverage_of_run, histograms
from certifier.runs.models import Run
from certifier.runs.selectors import find_run
from mlcore.errors import MlcoreError
from mlcore.features import FeatureTable
from mlcore.histograms import HistogramBlock
from mlcore.pipeline.inputs import gather

from .computing import NothingToCompare
from .gathering import Say, features_of

SHOWN: Final = 40
# Lumisections that are permuted together: longer than they remember each other.
BLOCK, PERMUTATIONS = 10, 400


def compare_runs(number: int, against: int, system: str, element: str, say: Say) -> dict[str, Any]:
    """All features of the elements that both have, of a system or of one element, in the good lumisections of the
    reference. Raises NothingToCompare, RunNotFound, HistogramsLost."""
    from mlcore.twosample import compare

    run, other = find_run(number), find_run(against)
    mine, theirs = (_coverage(each, system, element) for each in (run, other))
    shared = sorted(set(mine) & set(theirs))
    if not shared:
        what = element or (f"element of {system}" if system else "element")
        raise NothingToCompare(f"Runs {number} and {against} have no {what} in common that has histograms.")
    say(0.1, f"reading {len(shared)} elements of two runs")
    sample = _table(run, [mine[path] for path in shared], None)
    reference = _table(other, [theirs[path] for path in shared], good_of(other))
    sample, reference, pileup = _freed(*_telling(sample, reference))
    say(0.4, f"telling {len(sample)} and {len(reference)} lumisections apart")
    try:
        found = compare(sample, reference, block=BLOCK, permutations=PERMUTATIONS)
    except MlcoreError as error:
        raise NothingToCompare(f"Runs {number} and {against} cannot be compared: {error}") from None
    return {
        "run": number,
        "against": against,
        "elements": len(shared),
        "lumisections": [len(sample), len(reference)],
        "blocks": list(found.blocks),
        "pileup": pileup,
        "overlaps": pileup is not None and max(pileup[0][0], pileup[1][0]) < min(pileup[0][1], pileup[1][1]),
        "auc": found.auc,
        "p_value": found.p_value,
        "least_p": 1.0 / (PERMUTATIONS + 1),
        "looked_at": len(found.features),
        "differing": len(found.differing()),
        "lines": [
            {"element": each.group, "feature": each.name, "label": each.name.rpartition(":")[2], "kind": each.kind,
             "size": each.size, "p": each.p_value}
            for each in found.features[:SHOWN]
        ],
    }  # fmt: skip


def good_of(run: Run) -> LumiSet:
    """Where nothing intolerable is present; everything, where that would leave nothing."""
    names = [each.name for each in logic_at().definitions.primaries() if each.intolerable]
    bad = LumiSet()
    for present in present_in([run], names)[run.number].values() if names else ():
        bad |= present
    return run.domain - bad or run.domain


def _coverage(run: Run, system: str, element: str) -> dict[str, Coverage]:
    """By path, of the furthest processed dataset."""
    covered = next(iter(coverage_of_run(run, paths=[element] if element else ()).values()), [])
    return {
        each.element.path: each
        for each in covered
        if not system or (each.element.system is not None and each.element.system.code == system)
    }


def _table(run: Run, covered: Sequence[Coverage], lumisections: LumiSet | None) -> FeatureTable:
    blocks: list[HistogramBlock] = [block for block in histograms(run, covered, lumisections).values() if len(block)]
    if not blocks:
        raise NothingToCompare(f"Run {run.number} has no histogram of these elements where nothing intolerable is.")
    table = gather([features_of(block) for block in blocks]).table
    assert table is not None
    return table


def _freed(
    sample: FeatureTable, reference: FeatureTable
) -> tuple[FeatureTable, FeatureTable, list[list[float]] | None]:
    """Both without what pile-up does to a feature, which is a cubic curve that they share beside a step between them;
    and the range of pile-up of each. As they are where it is not known."""
    sides = (sample, reference)
    pileup = np.concatenate([each.conditions.pileup for each in sides])
    if not np.isfinite(pileup).all() or np.ptp(pileup) == 0:
        return sample, reference, None
    ranges = [[float(np.min(each.conditions.pileup)), float(np.max(each.conditions.pileup))] for each in sides]
    values = np.vstack([each.values for each in sides])
    unit = (pileup - pileup.mean()) / pileup.std()
    curve = np.column_stack([unit, unit**2, unit**3])
    step = np.repeat([1.0, 0.0], [len(sample), len(reference)])
    design = np.column_stack([np.ones(len(unit)), step, curve])
    for column in range(values.shape[1]):
        known = np.isfinite(values[:, column])
        if known.sum() > 10 * design.shape[1]:
            found, *_ = np.linalg.lstsq(design[known], values[known, column], rcond=None)
            values[:, column] -= curve @ found[2:]
    return replace(sample, values=values[: len(sample)]), replace(reference, values=values[len(sample) :]), ranges


def _telling(sample: FeatureTable, reference: FeatureTable) -> tuple[FeatureTable, FeatureTable]:
    """The features that both have and that are not the same everywhere."""
    names = [name for name in sample.names if name in set(reference.names)]
    kept = []
    for name in names:
        both = np.concatenate([each.values[:, each.names.index(name)] for each in (sample, reference)])
        if np.isfinite(both).any() and np.nanmax(both) > np.nanmin(both):
            kept.append(name)
    if not kept:
        raise NothingToCompare("Nothing that was looked at ever changes, in either run.")
    return _only(sample, kept), _only(reference, kept)


def _only(table: FeatureTable, names: Sequence[str]) -> FeatureTable:
    places = [table.names.index(name) for name in names]
    groups = tuple(table.groups[place] for place in places)
    return replace(table, values=table.values[:, places], names=tuple(names), groups=groups)
