"""Table met-ae: faults of missing momentum in two monitoring elements together (CMS summer student, August 2024).

Published is the mean squared error of one autoencoder on one element; no figure of merit. The strength of the faults is
set on seeds 0-4 so that the strongest peer, a dense autoencoder of ours on both elements, stays clearly below the
target. Runs differ in noise and gain, which move both elements together; the last 40% of the runs are judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.autoencoder import AutoencoderDetector
from mlcore.detectors.elements_autoencoder import ElementsAutoencoder
from mlcore.evaluate import auc
from mlcore.features import bin_features
from mlcore.histograms import HistogramBlock
from mlcore.simulate.met import FAULTS, MetLaw, met_runs
from mlcore.splits import chronological
from mlcore.tuning import code_sizes

from .peers.met import PublishedAutoencoder
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "met-ae"
OURS = "ours"
NO_RUN = "ours, without the rest of the run"
ONE = "ours on one element each, the worse"
EITHER = "published: one autoencoder per element, the worse"
JOINT = "the published autoencoder on both elements"
DENSE = "dense autoencoder of tables on both elements"


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """One row. Quick: one seed, fewer runs, epochs and trials."""
    used = list(seeds)[:1] if quick else list(seeds)
    values: dict[str, list[float]] = {}
    watches: dict[str, Stopwatch] = {}
    limits, codes, by_fault = [], [], []
    for seed in used:
        drawn = met_runs(seed, law=MetLaw(runs=40) if quick else None)
        early, late = chronological(drawn.conditions, (0.6, 0.4), gap=0)
        good, truth = early & (drawn.fault < 0), drawn.labels[late]
        parts = [(block.select(good), block.select(late)) for block in drawn.blocks]
        watch = watches.setdefault(OURS, Stopwatch())
        with watch.running():
            table, judged = bin_features([one for one, _ in parts]), bin_features([two for _, two in parts])
            found = code_sizes(table, trials=3 if quick else 12, folds=2, epochs=8 if quick else 30, random_state=seed)
            detector = ElementsAutoencoder(hidden=found.hidden, random_state=seed).fit(table)
            scores = {OURS: detector.score(judged)}
        codes.append(found.hidden)
        scores |= _peers(parts, found.hidden, seed, watches, epochs=20 if quick else 150)
        for name, score in scores.items():
            values.setdefault(name, []).append(auc(score, truth))
        limits.append(auc(drawn.log_odds[late], truth))
        by_fault.append(_by_fault(scores[OURS], drawn.fault[late]))
    peers = {
        name: Peer(float(np.mean(got)), float(np.std(got)), watches[name].seconds)
        for name, got in values.items()
        if name != OURS
    }
    return [
        Row(
            NAME, "METSig and SumET together, AUC on planted faults", "MSE only", 0.98, float(np.mean(values[OURS])),
            float(np.std(values[OURS])), used, watches[OURS].seconds, peak_memory_mb(), peers,
            bayes=float(np.mean(limits)), note=_note(codes, np.nanmean(by_fault, axis=0)),
        )
    ]  # fmt: skip


def _peers(
    parts: list[tuple[HistogramBlock, HistogramBlock]],
    hidden: tuple[int, int],
    seed: int,
    watches: dict[str, Stopwatch],
    *,
    epochs: int,
) -> dict[str, FloatArray]:
    learned, judged = [one for one, _ in parts], [two for _, two in parts]
    table, asked = bin_features(learned), bin_features(judged)
    found = {}
    with watches.setdefault(NO_RUN, Stopwatch()).running():
        alone = ElementsAutoencoder(hidden=hidden, in_run=False, random_state=seed).fit(table)
        found[NO_RUN] = alone.score(asked)
    with watches.setdefault(ONE, Stopwatch()).running():
        each = [
            ElementsAutoencoder(hidden=hidden, random_state=seed).fit(bin_features([one])).score(bin_features([two]))
            for one, two in parts
        ]
        found[ONE] = np.maximum(*each)
    with watches.setdefault(EITHER, Stopwatch()).running():
        ranks = [PublishedAutoencoder(epochs=epochs, seed=seed).fit(one).ranks(two) for one, two in parts]
        found[EITHER] = np.maximum(*ranks)
    with watches.setdefault(JOINT, Stopwatch()).running():
        found[JOINT] = PublishedAutoencoder(epochs=epochs, seed=seed).fit(*learned).errors(*judged)
    with watches.setdefault(DENSE, Stopwatch()).running():
        dense = AutoencoderDetector(hidden=(32, 3), epochs=max(epochs // 4, 5), random_state=seed)
        found[DENSE] = dense.fit(table).score(asked)
    return found


def _by_fault(score: FloatArray, fault: IntArray) -> list[float]:
    rows = [(fault < 0) | (fault == number) for number in range(len(FAULTS))]
    return [
        auc(score[row], (fault[row] >= 0).astype(np.int64)) if (fault[row] >= 0).any() else float("nan") for row in rows
    ]


def _note(codes: list[tuple[int, int]], by_fault: FloatArray) -> str:
    sizes = ", ".join(f"{one} and {two}" for one, two in codes)
    parts = ", ".join(f"{name} {value:.3f}" for name, value in zip(FAULTS, by_fault, strict=True))
    return f"Widths of code found by Optuna on runs held out: {sizes}. By fault: {parts}."
