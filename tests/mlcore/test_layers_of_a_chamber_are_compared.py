"""Layers of a drift-tube chamber against each other: a voltage that is too low is found, and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore.artifacts import load, save
from mlcore.bench import dt_regional as table
from mlcore.bench.peers import chambers as peers
from mlcore.detectors.chamber_layers import ChamberLayers
from mlcore.errors import IncompatibleBinning, MlcoreError
from mlcore.evaluate import auc
from mlcore.simulate.drift_chambers import FAULTY_LAYER, Chamber, ChamberLaw, chamber_sample


@pytest.fixture(scope="module")
def chamber() -> Chamber:
    return chamber_sample(5, law=ChamberLaw(chambers=1, judged=40))[0]


@pytest.fixture(scope="module")
def fitted(chamber: Chamber) -> ChamberLayers:
    return ChamberLayers().fit(chamber.learned)


def test_a_layer_at_seventy_per_cent_is_found_and_named(chamber: Chamber, fitted: ChamberLayers) -> None:
    good, faulty = fitted.score(chamber.good), fitted.score(chamber.faulty)
    assert auc(np.concatenate([good, faulty]), np.repeat([0, 1], 40)) > 0.95
    pulls = fitted.layer_pulls(chamber.faulty)
    assert (np.abs(pulls).argmax(axis=1) == FAULTY_LAYER).mean() > 0.9
    assert (pulls[:, FAULTY_LAYER] < 0).all()


def test_rate_and_direction_of_the_muons_change_nothing(chamber: Chamber, fitted: ChamberLayers) -> None:
    counts = chamber.good.counts * 3
    rising = np.linspace(0.8, 1.2, counts.shape[2])
    for changed in (counts, np.round(counts * rising)):
        pulls = fitted.layer_pulls(replace(chamber.good, counts=changed))
        assert np.abs(pulls - fitted.layer_pulls(chamber.good)).mean() < 0.6


def test_a_missing_chamber_has_no_score(chamber: Chamber, fitted: ChamberLayers) -> None:
    few = chamber.good.select(slice(0, 3))
    counts = few.counts.copy()
    counts[0], counts[1] = np.nan, 0.0
    assert np.isnan(fitted.score(replace(few, counts=counts))).tolist() == [True, True, False]
    assert np.isnan(fitted.layer_pulls(replace(few, counts=counts))).all(axis=1).tolist() == [True, True, False]
    with pytest.raises(IncompatibleBinning):
        fitted.score(few.rebin(1, 2))


def test_a_layer_that_was_never_there_is_left_out(chamber: Chamber) -> None:
    learned, good = (replace(part, counts=part.counts.copy()) for part in (chamber.learned, chamber.good))
    learned.counts[:, 4:8] = 0.0
    good.counts[:, 4:8] = 0.0
    detector = ChamberLayers().fit(learned)
    assert (detector.layer_pulls(good)[:, 4:8] == 0).all()
    assert np.isfinite(detector.score(good)).all()


def test_what_is_stored_says_the_same(chamber: Chamber, fitted: ChamberLayers, tmp_path: Path) -> None:
    manifest = save(fitted, tmp_path / "model")
    again = load(tmp_path / "model", digest=manifest.digest)
    assert np.array_equal(again.score(chamber.faulty), fitted.score(chamber.faulty))


@pytest.mark.parametrize("name", peers.KINDS)
def test_each_published_autoencoder_learns_to_rebuild_chambers(name: str) -> None:
    sample = chamber_sample(1, law=ChamberLaw(chambers=8))
    learned = np.concatenate([one.learned.counts for one in sample])
    short, longer = (peers.trained(name, learned, epochs=epochs, seed=0) for epochs in (1, 20))
    for_short, for_longer = (peers.layer_error(net, learned, FAULTY_LAYER).mean() for net in (short, longer))
    assert for_longer < for_short
    image = peers.images(learned)
    assert float(image.min()) == 0.0
    assert float(image.max()) == 1.0


def test_only_the_ninth_layer_is_weaker_and_draws_repeat() -> None:
    law = ChamberLaw(chambers=2, left=0.0)
    sample = chamber_sample(3, law=law)
    for one in sample:
        assert one.faulty.counts[:, FAULTY_LAYER].sum() == 0
        assert (one.faulty.counts.sum(axis=2) == 0).sum() == len(one.faulty)
    again = chamber_sample(3, law=law)
    assert np.array_equal(sample[1].good.counts, again[1].good.counts)
    with pytest.raises(MlcoreError, match="efficiency from 0 to 1"):
        ChamberLaw(left=1.2)


def test_a_small_table_has_one_row_with_all_four_autoencoders() -> None:
    (row,) = table.run([0], quick=True)
    assert row.target == 0.96
    assert row.value > 0.95
    assert set(peers.KINDS) | {table.KNOWN} == set(row.peers)
    assert row.bayes is not None
    assert row.bayes > 0.99
