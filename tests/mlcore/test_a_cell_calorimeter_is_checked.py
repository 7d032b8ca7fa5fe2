"""EMCAL: bad channels stand out, a shifted phase is seen, pulses are measured as well as by a fit and without bias."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.bench import emcal as bench
from mlcore.bench.peers.emcal import bare_net
from mlcore.detectors.phase import PhaseDetector
from mlcore.emcal import LIMIT, PulseNet, bad_channels, fit_pulses
from mlcore.errors import MlcoreError, ShapeError, TooFewData
from mlcore.evaluate import auc
from mlcore.pipeline.config import DetectorConfig
from mlcore.simulate import emcal as world


def test_bad_channels_are_found_and_good_ones_left_alone() -> None:
    drawn = world.spectra(7, channels=1500)
    bad = bad_channels(drawn.counts) > LIMIT
    assert bad[drawn.label == 1].mean() > 0.95
    assert drawn.label[bad].mean() > 0.95
    assert auc(drawn.belief, drawn.label) > 0.999


def test_a_list_without_a_usual_channel_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(TooFewData, match="49 channels"):
        bad_channels(rng.poisson(9.0, (49, 40)))
    with pytest.raises(ShapeError, match="from 0"):
        bad_channels(-np.ones((60, 40)))
    same = bad_channels(rng.poisson(9.0, (200, 40)))
    assert same.max() < LIMIT
    dark = np.vstack([rng.poisson(9.0, (199, 40)), np.zeros(40)])
    assert np.argmax(bad_channels(dark)) == 199


def test_a_shift_of_the_phase_is_seen_in_its_lumisection_and_better_in_its_run() -> None:
    drawn = world.times(3, runs=18, length=40, hits=25.0)
    late = drawn.block.conditions.run >= 600_009
    good = drawn.block.select(~late & (drawn.labels == 0))
    areas = []
    for memory in (0.0, 8.0):
        built = DetectorConfig("phase", {"memory": memory}).build(random_state=0)
        assert isinstance(built, PhaseDetector)
        areas.append(auc(built.fit(good).score(drawn.block.select(late)), drawn.labels[late]))
    assert 0.9 < areas[0] < areas[1]


def test_settings_of_the_phase_that_make_no_sense_are_refused() -> None:
    drawn = world.times(3, runs=3, length=30)
    with pytest.raises(MlcoreError, match="parts between 0 and 1"):
        PhaseDetector(parts=(1.5,)).fit(drawn.block)
    with pytest.raises(ShapeError, match="eight bins"):
        PhaseDetector().fit(drawn.block.rebin(25))


def test_the_net_is_as_good_as_the_fit_and_not_biased_where_a_bare_one_is() -> None:
    learn, asked = world.pulses(2, count=6000, led=True), world.pulses(2, count=6000)
    net = PulseNet(epochs=25).fit(learn.samples, learn.amplitude, learn.time)
    amplitude, time = net.predict(asked.samples)
    grid = np.arange(-60.0, 60.1, 2.0)
    fitted, moment = fit_pulses(asked.samples, world.response(grid), grid)
    off, usual = amplitude / asked.amplitude - 1, fitted / asked.amplitude - 1
    assert abs(off.mean()) < 0.004
    assert off.std() < 1.1 * usual.std()
    assert np.std(time - asked.time) < 1.1 * np.std(moment - asked.time)
    high = asked.amplitude > 250
    bare = bare_net(learn.samples, learn.amplitude, asked.samples, random_state=0)
    assert abs(off[high].mean()) < 0.005
    assert off.std() < (bare / asked.amplitude - 1).std()


def test_pulses_that_are_not_known_get_no_answer() -> None:
    learn = world.pulses(1, count=300, led=True)
    net = PulseNet(epochs=2).fit(learn.samples, learn.amplitude, learn.time)
    asked = np.vstack([learn.samples[:1], np.full((1, 10), np.nan), np.zeros((1, 10))])
    amplitude, time = net.predict(asked)
    assert np.isfinite(amplitude).tolist() == np.isfinite(time).tolist() == [True, False, False]
    with pytest.raises(ShapeError, match="with 10 per pulse"):
        net.predict(asked[:, :5])
    with pytest.raises(TooFewData, match="50 pulses"):
        PulseNet().fit(learn.samples[:50], learn.amplitude[:50], learn.time[:50])
    with pytest.raises(MlcoreError, match="larger than 0"):
        PulseNet().fit(learn.samples, -learn.amplitude, learn.time)
    with pytest.raises(ShapeError, match="do not belong together"):
        PulseNet().fit(learn.samples, learn.amplitude[1:], learn.time)


def test_the_table_has_five_rows() -> None:
    rows = bench.run([4], quick=True)
    assert len(rows) == 5
    assert rows[4].target == rows[4].peers["fit"].value
