"""Whole runs as points of a plane: alike runs lie together, strange ones apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlcore.conditions import Conditions
from mlcore.errors import IncompatibleBinning, ShapeError, TooFewData
from mlcore.histograms import HistogramBlock
from mlcore.run_map import RunMap, run_shapes
from mlcore.simulate.maps import OccupancyModel, muon_chamber

RUNS, LUMISECTIONS = 12, 5


@pytest.fixture(scope="module")
def blocks() -> list[HistogramBlock]:
    """Two chambers in twelve runs; in the last three a layer of the first sees little."""
    rng = np.random.default_rng(4)
    n = RUNS * LUMISECTIONS
    conditions = Conditions(
        run=np.repeat(np.arange(500, 500 + RUNS), LUMISECTIONS),
        lumisection=np.tile(np.arange(1, LUMISECTIONS + 1), RUNS),
        pileup=rng.uniform(20, 60, n),
        events=rng.uniform(500, 5_000, n).round(),
    )
    found = []
    for station in (1, 2):
        model = OccupancyModel(muon_chamber(50, station=station), random_state=station)
        expected = model.expected(conditions)
        if station == 1:
            expected[-3 * LUMISECTIONS :, 8] *= 0.3
        found.append(model.draw(conditions, rng, expected=expected))
    return found


def test_runs_with_the_same_fault_lie_together_and_apart_from_the_others(blocks: list[HistogramBlock]) -> None:
    shapes = run_shapes(blocks)
    assert shapes.run.tolist() == list(range(500, 500 + RUNS))
    points = RunMap().fit(shapes).transform(shapes)
    assert points.shape == (RUNS, 2)
    good, bad = points[:-3], points[-3:]
    gap = np.linalg.norm(good.mean(axis=0) - bad.mean(axis=0))
    assert gap > 3 * max(np.linalg.norm(part - part.mean(axis=0), axis=1).max() for part in (good, bad))


def test_how_much_was_taken_does_not_move_a_run(blocks: list[HistogramBlock]) -> None:
    made = RunMap().fit(run_shapes(blocks))
    more = run_shapes([replace(block, counts=block.counts * 7) for block in blocks])
    assert made.transform(more) == pytest.approx(made.transform(run_shapes(blocks)), abs=1e-6)


def test_axes_are_orthonormal_and_explain_what_they_say(blocks: list[HistogramBlock]) -> None:
    shapes = run_shapes(blocks)
    made = RunMap(components=3).fit(shapes)
    assert made.axes_ @ made.axes_.T == pytest.approx(np.eye(3))
    assert (np.diff(made.explained_) <= 0).all()
    spread = made.transform(shapes).var(axis=0) / (shapes.values - made.mean_).var(axis=0).sum()
    assert made.explained_ == pytest.approx(spread, rel=1e-3)
    again = RunMap(components=3).fit(shapes)
    assert np.array_equal(again.transform(shapes), made.transform(shapes))


def test_a_run_that_is_strange_in_another_way_leaves_the_plane(blocks: list[HistogramBlock]) -> None:
    made = RunMap().fit(run_shapes(blocks))
    counts = blocks[1].counts.copy()
    counts[:LUMISECTIONS, :, 20:30] = 0.0
    strange = made.strange(run_shapes([blocks[0], replace(blocks[1], counts=counts)]))
    assert strange.argmax() == 0
    assert strange[0] > 3


def test_what_a_run_lacks_counts_as_usual_and_an_empty_run_has_no_place(blocks: list[HistogramBlock]) -> None:
    made = RunMap().fit(run_shapes(blocks))
    usual = made.transform(run_shapes(blocks))
    later = blocks[1].select(slice(LUMISECTIONS, None))
    lacking = made.transform(run_shapes([blocks[0], later]))
    assert np.isfinite(lacking).all()
    assert lacking[1:] == pytest.approx(usual[1:])
    empty = [replace(block, counts=np.where(np.arange(len(block))[:, None, None] < LUMISECTIONS, 0.0, block.counts))
             for block in blocks]  # fmt: skip
    assert np.isnan(made.transform(run_shapes(empty))[0]).all()


def test_what_makes_no_map_is_refused(blocks: list[HistogramBlock]) -> None:
    with pytest.raises(ShapeError, match="one block of each"):
        run_shapes([])
    with pytest.raises(ShapeError, match="one block of each"):
        run_shapes([blocks[0], blocks[0]])
    with pytest.raises(TooFewData, match="at least 3"):
        RunMap().fit(run_shapes([block.select(slice(0, 2 * LUMISECTIONS)) for block in blocks]))
    with pytest.raises(IncompatibleBinning, match="other elements"):
        RunMap().fit(run_shapes(blocks)).transform(run_shapes(blocks[:1]))
