"""Table dt-regional: chambers of drift tubes, one layer of which has too low a voltage (arXiv:1808.00911).

50 chambers of 12 x 46 wires; 24 good runs of each to learn from, 6 good ones and 6 with the ninth layer at 70% of its
efficiency to be judged. The autoencoders learn from good images of all chambers together and are asked for their error
in the ninth layer, as published; ours learns each chamber by itself and is asked whether any layer is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlcore.conditions import FloatArray
from mlcore.detectors.chamber_layers import ChamberLayers
from mlcore.evaluate import auc
from mlcore.simulate.drift_chambers import FAULTY_LAYER, Chamber, ChamberLaw, chamber_sample

from .peers import chambers as peers
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "dt-regional"
EPOCHS = 40
OURS, KNOWN = "ours", "ours, asked for the ninth layer"
PUBLISHED = {
    "convolutional autoencoder": "0.944",
    "sparse autoencoder": "0.935",
    "denoising autoencoder": "0.909",
    "simple autoencoder": "0.893",
}


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """One row. Quick: one seed, fewer chambers and epochs."""
    used = list(seeds)[:1] if quick else list(seeds)
    values: dict[str, list[float]] = {}
    watches: dict[str, Stopwatch] = {}
    limits = []
    for seed in used:
        sample = chamber_sample(seed, law=ChamberLaw(chambers=10) if quick else None)
        for name, area in _areas(sample, seed, watches, epochs=3 if quick else EPOCHS).items():
            values.setdefault(name, []).append(area)
        limits.append(_area([one.log_odds[: len(one.good)] for one in sample],
                            [one.log_odds[len(one.good) :] for one in sample]))  # fmt: skip
    found = {
        name: Peer(
            float(np.mean(got)), float(np.std(got)), watches[name].seconds,
            f"published {PUBLISHED[name]}" if name in PUBLISHED else "",
        )
        for name, got in values.items()
    }  # fmt: skip
    mine = found.pop(OURS)
    words = ", ".join(f"{name.split(' ')[0]} {area}" for name, area in PUBLISHED.items())
    return [
        Row(
            NAME, "voltage fault of one layer, AUC", "0.944 (convolutional)", 0.96, mine.value, mine.spread, used,
            mine.seconds, peak_memory_mb(), found, bayes=float(np.mean(limits)),
            note=f"Published autoencoders: {words}. Best possible knows what every wire should have in that run.",
        )
    ]  # fmt: skip


def _areas(sample: list[Chamber], seed: int, watches: dict[str, Stopwatch], *, epochs: int) -> dict[str, float]:
    found = {}
    with watches.setdefault(OURS, Stopwatch()).running():
        fitted = [(ChamberLayers().fit(one.learned), one) for one in sample]
        found[OURS] = _area([d.score(one.good) for d, one in fitted], [d.score(one.faulty) for d, one in fitted])
    with watches.setdefault(KNOWN, Stopwatch()).running():
        found[KNOWN] = _area(
            [-d.layer_pulls(one.good)[:, FAULTY_LAYER] for d, one in fitted],
            [-d.layer_pulls(one.faulty)[:, FAULTY_LAYER] for d, one in fitted],
        )
    learned, good, faulty = (
        np.concatenate([getattr(one, part).counts for one in sample]) for part in ("learned", "good", "faulty")
    )
    for name in peers.KINDS:
        with watches.setdefault(name, Stopwatch()).running():
            net = peers.trained(name, learned, epochs=epochs, seed=seed)
            found[name] = _area(
                [peers.layer_error(net, good, FAULTY_LAYER)], [peers.layer_error(net, faulty, FAULTY_LAYER)]
            )
    return found


def _area(good: list[FloatArray], faulty: list[FloatArray]) -> float:
    """AUC of all chambers together."""
    parts = [np.concatenate(good), np.concatenate(faulty)]
    return auc(np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts]))
