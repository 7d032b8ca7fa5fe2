"""DINAMO-S, written from its paper, has its published AUC of 0.983 on our toy within a point."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.bench.peers.dinamo_s import dinamo_s
from mlcore.simulate.dinamo import DinamoToy

CHOSEN_ON, RUNS = 1_000, 5_000


def test_dinamo_s_has_its_published_area_under_the_curve_on_the_toy() -> None:
    found = []
    for seed in (100, 101, 102):
        # The draws of the table `dinamo`.
        runs = DinamoToy().draw(RUNS, np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0]))
        truth, tried = runs.labels, [dinamo_s(runs.block.counts, runs.labels, memory=m) for m in (0.5, 0.7, 0.8)]
        # As in the paper, the memory is chosen on the first thousand runs.
        early = [roc_auc_score(truth[100:CHOSEN_ON], scores[100:CHOSEN_ON]) for scores in tried]
        chosen = tried[int(np.argmax(early))]
        found.append(roc_auc_score(truth[CHOSEN_ON:], chosen[CHOSEN_ON:]))
    assert np.mean(found) == pytest.approx(0.983, abs=0.01)
