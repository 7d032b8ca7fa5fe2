"""Table offline-ae: 2,807 features per lumisection, 2% bad, split in time (EPJ Conf. 214 (2019) 06008).

The difficulty was set on seeds 0-4, where the published autoencoder, trained until it has converged, gives the
published figure (see OFFLINE in `mlcore.simulate.tables`). About 60 lumisections that are judged are bad, so that seeds
differ a lot, for every method alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlcore.detectors.context import beside_neighbours
from mlcore.detectors.pca import PcaDetector
from mlcore.evaluate import auc
from mlcore.simulate.tables import offline_table
from mlcore.splits import chronological

from .peers.offline import published_autoencoder
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "offline-ae"
LUMISECTIONS, QUICK = 16_000, 3_500
OURS = "ours"
ALONE = "ours, each lumisection by itself"
PUBLISHED = "published autoencoder (dense, PReLU, on good)"


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """One row. Methods learn from the certified good of the first 60% in time and are judged on the last 20%; no label
    of bad is used. What lies between is watched by the autoencoder to know when it has converged. Quick: one seed and
    few epochs."""
    used = list(seeds)[:1] if quick else list(seeds)
    values: dict[str, list[float]] = {OURS: [], ALONE: [], PUBLISHED: []}
    watches = {name: Stopwatch() for name in values}
    limits = []
    for seed in used:
        drawn = offline_table(seed, lumisections=QUICK if quick else LUMISECTIONS)
        first, second, last = chronological(drawn.conditions, (0.6, 0.2, 0.19))
        good, judged = drawn.table.select(first & (drawn.labels == 0)), drawn.table.select(last)
        longer = drawn.table.select((first | second) & (drawn.labels == 0))
        labels = drawn.labels[last]
        with watches[ALONE].running(), watches[OURS].running():
            alone = PcaDetector(components=40, random_state=seed).fit(good).score(judged)
        with watches[OURS].running():
            ours = beside_neighbours(alone, judged.conditions)
        with watches[PUBLISHED].running():
            published = published_autoencoder(seed, epochs=4 if quick else 60).fit(longer).score(judged)
        for name, scores in ((OURS, ours), (ALONE, alone), (PUBLISHED, published)):
            values[name].append(auc(scores, labels))
        limits.append(auc(drawn.belief[last], labels))
    peers = {name: _peer(values[name], watches[name].seconds) for name in (ALONE, PUBLISHED)}
    return [
        Row(
            name=NAME,
            task="AUC, 2,807 features, 98:2, learned from good only",
            published="0.978",
            target=0.985,
            value=float(np.mean(values[OURS])),
            spread=float(np.std(values[OURS])),
            seeds=used,
            seconds=watches[OURS].seconds,
            peak_memory_mb=peak_memory_mb(),
            peers=peers,
            bayes=float(np.mean(limits)),
            note="components conditioned on luminosity and pile-up, error by physics object, neighbours of the run",
        )
    ]


def _peer(values: list[float], seconds: float) -> Peer:
    return Peer(float(np.mean(values)), float(np.std(values)), seconds)
