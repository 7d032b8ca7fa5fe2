"""One-dimensional histograms of the simulator: sizes, statistics, pile-up, ageing, and faults with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.conditions import Conditions
from mlcore.errors import MlcoreError, ShapeError
from mlcore.histograms import Axis
from mlcore.simulate import shape_faults, shapes
from mlcore.simulate.shapes import DetectorState


def lumisections(n: int = 400, *, pileup: float = 40.0, events: float = 1000.0, luminosity: float = 2e4) -> Conditions:
    return Conditions(
        run=1 + np.arange(n) // 50,
        lumisection=1 + np.arange(n) % 50,
        luminosity=np.full(n, luminosity),
        pileup=np.full(n, pileup),
        events=np.full(n, events),
    )


def mean_of(counts: np.ndarray, axis: Axis) -> float:
    total = counts.sum(axis=0)
    return float(total @ axis.centres / total.sum())


MODELS: list[shapes.ShapeModel] = [made() for made in shapes.ALL]  # type: ignore[call-arg]  # each has defaults


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
class TestEveryShape:
    def test_has_a_hundred_bins_and_between_2000_and_20000_entries(self, model: shapes.ShapeModel) -> None:
        for events, pileup in ((500.0, 20.0), (1500.0, 60.0)):
            total = model.expected(lumisections(3, events=events, pileup=pileup)).sum(axis=1)
            assert model.axis.bins == 100
            assert (total > 1500).all()
            assert (total < 20_000).all()

    def test_draws_poisson_counts_around_what_is_expected(self, model: shapes.ShapeModel) -> None:
        known = lumisections()
        mean = model.expected(known)
        block = model.draw(known, np.random.default_rng(1))
        seen = mean > 1
        assert block.element == model.element
        assert ((block.counts - mean)[seen] ** 2 / mean[seen]).mean() == pytest.approx(1.0, abs=0.03)

    def test_loses_no_entry(self, model: shapes.ShapeModel) -> None:
        known = lumisections(200)
        block = model.draw(known, np.random.default_rng(2))
        assert block.flow is not None
        everything = block.totals + block.flow.sum(axis=(1, 2))
        assert everything.mean() == pytest.approx(model.entries(known)[0], rel=0.005)

    def test_is_the_same_for_the_same_seed(self, model: shapes.ShapeModel) -> None:
        first, second, other = (model.draw(lumisections(5), np.random.default_rng(seed)).counts for seed in (3, 3, 4))
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)

    def test_takes_unknown_conditions_as_usual_ones(self, model: shapes.ShapeModel) -> None:
        assert np.allclose(model.expected(Conditions.plain(2)), model.expected(lumisections(2, luminosity=0.0)))

    def test_differs_more_from_run_to_run_than_within_a_run(self, model: shapes.ShapeModel) -> None:
        known = lumisections()
        state = DetectorState.nominal(known).jittered(known, np.random.default_rng(5), size=3.0)
        mean = model.expected(known, state=state).reshape(8, 50, 100)
        between, within = mean.mean(axis=1).var(axis=0).sum(), mean.var(axis=1).mean(axis=0).sum()
        assert between > 2 * within

    def test_of_no_lumisection_is_empty(self, model: shapes.ShapeModel) -> None:
        nothing = lumisections(0)
        assert model.draw(nothing, np.random.default_rng(0)).counts.shape == (0, 100)
        assert DetectorState.nominal(nothing).jittered(nothing, np.random.default_rng(0)).gain.shape == (0,)


def test_cluster_charge_falls_with_dose() -> None:
    model, known = shapes.ClusterCharge(), lumisections(2)
    old = DetectorState.nominal(known)
    old = DetectorState(np.array([0.0, 100.0]), old.gain, old.phase, old.beam_z, old.beam_width, old.material)
    fresh, aged = model.expected(known, state=old)
    assert model.axis.centres[fresh.argmax()] - model.axis.centres[aged.argmax()] > 3_000


def test_dose_is_the_luminosity_of_the_lumisections_before() -> None:
    dose = DetectorState.nominal(lumisections(3, luminosity=1e6)).dose
    assert np.allclose(dose, [0.0, 1.0, 2.0])


def test_clusters_grow_with_pileup_and_timing_follows_the_phase() -> None:
    clusters, time = shapes.ClusterMultiplicity(), shapes.Timing()
    low, high = (clusters.expected(lumisections(1, pileup=pileup)) for pileup in (20.0, 60.0))
    assert mean_of(high, clusters.axis) > 2.5 * mean_of(low, clusters.axis)
    known = lumisections(1)
    state = DetectorState.nominal(known)
    moved = DetectorState(state.dose, state.gain, np.array([1.0]), state.beam_z, state.beam_width, state.material)
    away = mean_of(time.expected(known, state=moved), time.axis) - mean_of(time.expected(known), time.axis)
    assert away == pytest.approx(1.0, abs=0.15)


def test_detector_state_refuses_columns_of_different_lengths() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(ShapeError, match="one value per lumisection"):
        DetectorState(one, one, two, one, one, one)


AXIS = shapes.ClusterCharge().axis
FAULTS = [
    shape_faults.ChargeScaleStep(axis=AXIS),
    shape_faults.GainShift(axis=AXIS),
    shape_faults.TimingJump(axis=AXIS, size=9_000.0),
    shape_faults.DeadBins(axis=AXIS, first=30),
    shape_faults.TruncatedHistogram(axis=AXIS, fraction=0.4),
    shape_faults.Spike(axis=AXIS, bin=70),
    shape_faults.DuplicatedEvents(axis=AXIS),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
class TestEveryFault:
    def test_changes_the_rows_named_and_no_other(self, fault: shape_faults.ShapeFault) -> None:
        mean = shapes.ClusterCharge().expected(lumisections(6))
        before = mean.copy()
        changed = fault.apply(mean, np.array([1, 4]), np.random.default_rng(0))
        assert np.array_equal(mean, before)
        assert np.array_equal(changed[[0, 2, 3, 5]], mean[[0, 2, 3, 5]])
        assert (np.abs(changed - mean)[[1, 4]].sum(axis=1) > 100).all()
        assert (changed >= 0).all()

    def test_touches_only_its_true_bins_and_gets_worse_with_strength(self, fault: shape_faults.ShapeFault) -> None:
        mean = shapes.ClusterCharge().expected(lumisections(1))
        away = []
        for strength in (0.25, 1.0):
            made = type(fault)(**{**vars(fault), "strength": strength})
            changed = made.apply(mean, slice(None), np.random.default_rng(1))
            if made.truth is not None:
                assert np.array_equal(changed[:, ~made.truth], mean[:, ~made.truth])
            away.append(np.abs(changed - mean).sum())
        assert away[1] > 2 * away[0]

    def test_leaves_an_empty_histogram_and_no_row_alone(self, fault: shape_faults.ShapeFault) -> None:
        nothing = np.zeros((2, 100))
        assert np.array_equal(fault.apply(nothing, np.array([0]), np.random.default_rng(0)), nothing)
        assert np.array_equal(fault.apply(nothing, np.zeros(2, dtype=bool), np.random.default_rng(0)), nothing)

    def test_refuses_a_strength_outside_its_range(self, fault: shape_faults.ShapeFault) -> None:
        for strength in (0.0, 1.5, -1.0):
            with pytest.raises(MlcoreError, match="strength"):
                type(fault)(**{**vars(fault), "strength": strength})


def test_moving_a_histogram_keeps_its_entries_and_moves_its_mean() -> None:
    axis = Axis.regular("x", 100, 0.0, 10.0)
    counts = np.exp(-0.5 * ((axis.centres - 5) / 0.5) ** 2)[None, :] * 1000
    for scale, shift in ((0.8, 0.0), (1.0, 1.3), (1.2, -0.7)):
        moved = shape_faults.moved(counts, axis, scale=scale, shift=shift)
        assert moved.sum() == pytest.approx(counts.sum())
        assert mean_of(moved, axis) == pytest.approx(5 * scale + shift, abs=0.01)


def test_duplicates_leave_the_mean_but_make_the_shape_lumpy() -> None:
    mean = np.repeat(shapes.ClusterCharge().expected(lumisections(1)), 400, axis=0)
    changed = shape_faults.DuplicatedEvents(axis=AXIS).apply(mean, slice(None), np.random.default_rng(0))
    seen = mean[0] > 20
    assert np.allclose(changed.mean(axis=0)[seen], mean[0][seen], rtol=0.35)
    assert (changed.var(axis=0)[seen] > 5 * mean[0][seen]).all()
