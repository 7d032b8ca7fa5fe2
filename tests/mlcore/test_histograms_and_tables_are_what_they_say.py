"""Axes, histograms, tables and conditions: what is refused, and that selecting, joining and stacking are plain sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.errors import BadCounts, IncompatibleBinning, MlcoreError, ShapeError
from mlcore.features import FeatureTable, shape_features
from mlcore.histograms import Axis, HistogramBlock

X, PHI = Axis.regular("x", 4, 0.0, 8.0), Axis.regular("phi", 3, 0.0, 3.0, circular=True)


def block(counts: Any, *axes: Axis, **more: Any) -> HistogramBlock:
    rows = np.asarray(counts)
    return HistogramBlock("A/x", axes or (X,), rows, more.pop("conditions", Conditions.plain(len(rows))), **more)


def table(values: Any, **more: Any) -> FeatureTable:
    rows = np.asarray(values, dtype=float)
    names = tuple("abcdefgh"[: rows.shape[1]])
    return FeatureTable(rows, names, more.pop("groups", names), more.pop("conditions", Conditions.plain(len(rows))))


@pytest.mark.parametrize("edges", [[0.0], [], [0.0, 0.0], [1.0, 0.0], [0.0, np.nan, 1.0], [0.0, 1.0, np.inf], [[0, 1]]])
def test_edges_that_do_not_ascend_are_no_axis(edges: Any) -> None:
    with pytest.raises(ShapeError, match="edges"):
        Axis("x", edges)


@pytest.mark.parametrize(
    ("counts", "axes", "error"),
    [
        ([[1.0, -1.0, 0.0, 0.0]], (X,), BadCounts),
        ([[1.0, np.inf, 0.0, 0.0]], (X,), BadCounts),
        ([[1.0, 2.0, 3.0]], (X,), ShapeError),
        (np.ones((2, 4)), (X,), ShapeError),
        (np.ones((1, 4, 4)), (X, PHI), ShapeError),
        ([1.0], (), ShapeError),
        ([[1, 2, 3, 4], [1, 2]], (X,), ShapeError),
        ([["many", "few", "1", "2"]], (X,), ShapeError),
    ],
)
def test_counts_that_no_histogram_has_are_refused(counts: Any, axes: tuple[Axis, ...], error: type[Exception]) -> None:
    with pytest.raises(error, match="A/x"):
        HistogramBlock("A/x", axes, counts, Conditions.plain(1))


def test_the_lumisection_with_the_bad_count_is_named() -> None:
    counts = np.ones((3, 4))
    counts[1, 2] = -2.0
    with pytest.raises(BadCounts, match="run 1 lumisection 2"):
        block(counts)
    with pytest.raises(BadCounts, match="flow of run 1 lumisection 1"):
        block(np.ones((1, 4)), flow=np.array([[[0.0, -1.0]]]))
    with pytest.raises(ShapeError, match="flow"):
        block(np.ones((1, 4)), flow=np.zeros((1, 2)))


def test_whole_numbers_become_floats_and_floats_stay_as_narrow_as_they_are() -> None:
    assert block(np.ones((2, 4), dtype=np.int32)).counts.dtype == np.float64
    assert block(np.ones((2, 4), dtype=np.float32)).counts.dtype == np.float32


def test_one_bin_that_is_not_known_makes_the_histogram_missing() -> None:
    counts = np.ones((3, 4))
    counts[1, 3] = np.nan
    rows = block(counts)
    assert rows.missing.tolist() == [False, True, False]
    assert rows.totals.tolist()[::2] == [4.0, 4.0]
    assert np.isnan(rows.totals[1])


def test_joining_bins_adds_them_up_and_needs_a_divisor() -> None:
    joined = block(np.arange(24.0).reshape(2, 4, 3), X, PHI).rebin(2, 3)
    assert joined.counts.tolist() == [[[15.0], [51.0]], [[87.0], [123.0]]]
    assert joined.axes[0].edges.tolist() == [0.0, 4.0, 8.0]
    assert joined.axes[1].circular
    with pytest.raises(IncompatibleBinning, match="divisor"):
        block(np.ones((1, 4))).rebin(3)
    with pytest.raises(IncompatibleBinning, match="divisor"):
        X.rebin(0)
    with pytest.raises(ShapeError, match="factors"):
        block(np.ones((1, 4))).rebin(2, 2)


def test_axes_are_alike_up_to_rounding_and_by_name() -> None:
    assert Axis("x", X.edges * (1 + 1e-12)) == X
    assert hash(X) == hash(Axis("x", X.edges))
    assert Axis("y", X.edges) != X
    assert X != PHI
    assert X != "x"
    assert X.centres.tolist() == [1.0, 3.0, 5.0, 7.0]


def test_parts_with_other_axes_in_mid_run_are_not_put_together() -> None:
    first, second = block(np.ones((2, 4))), block(np.ones((2, 4)), Axis.regular("x", 4, 0.0, 9.0))
    with pytest.raises(IncompatibleBinning, match="rebin it first"):
        HistogramBlock.concatenate([first, second])
    later = block(2 * np.ones((1, 4)), conditions=Conditions(run=np.array([2]), lumisection=np.array([1])))
    both = HistogramBlock.concatenate([first, later])
    assert both.totals.tolist() == [4.0, 4.0, 8.0]
    assert both.conditions.run.tolist() == [1, 1, 2]
    with pytest.raises(IncompatibleBinning, match="no lumisection"):
        HistogramBlock.concatenate([first, second.select(slice(0, 0))])


def test_nothing_cannot_be_put_together() -> None:
    for together in (HistogramBlock.concatenate, FeatureTable.beside, Conditions.concatenate):
        with pytest.raises(ShapeError, match=r"nothing|there is no"):
            together([])


@st.composite
def runs_with_holes(draw: st.DrawFn) -> tuple[HistogramBlock, int]:
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    n = sum(lengths)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    counts = rng.integers(0, 9, (n, 4)).astype(float)
    counts[rng.random(n) < 0.3] = np.nan
    conditions = Conditions(
        run=np.repeat(np.arange(1, len(lengths) + 1), lengths),
        lumisection=np.concatenate([np.sort(rng.choice(20, length, replace=False)) + 1 for length in lengths]),
    )
    return block(counts, conditions=conditions), draw(st.integers(1, 5))


@given(runs_with_holes())
def test_a_stack_is_the_sum_of_the_last_lumisections_of_its_run(drawn: tuple[HistogramBlock, int]) -> None:
    rows, window = drawn
    stacked = rows.stacked(window)
    for row in range(len(rows)):
        if rows.missing[row]:
            assert stacked.missing[row]
            continue
        lasting = [
            k for k in range(max(0, row - window + 1), row + 1) if rows.conditions.run[k] == rows.conditions.run[row]
        ]
        assert np.allclose(stacked.counts[row], np.nansum(rows.counts[lasting], axis=0))


@given(runs_with_holes(), st.integers(0, 999))
def test_on_other_lumisections_a_histogram_is_the_same_or_missing(drawn: tuple[HistogramBlock, int], seed: int) -> None:
    rows, _ = drawn
    rng = np.random.default_rng(seed)
    known = rows.conditions.select(rng.permutation(len(rows))[: rng.integers(0, len(rows) + 1)])
    other = Conditions.concatenate([known, Conditions(run=np.array([9, 9]), lumisection=np.array([1, 2]))])
    aligned = rows.align(other)
    assert aligned.missing[-2:].all()
    place = {key: row for row, key in enumerate(rows.conditions.key.tolist())}
    for row, key in enumerate(other.key.tolist()[:-2]):
        assert np.array_equal(aligned.counts[row], rows.counts[place[key]], equal_nan=True)
    assert rows.select(slice(0, 0)).align(other).missing.all()


@pytest.mark.parametrize(
    "columns",
    [
        {"run": [1, 1], "lumisection": [1, 1]},
        {"run": [1], "lumisection": [0]},
        {"run": [-1], "lumisection": [1]},
        {"run": [1.5], "lumisection": [1]},
        {"run": [np.nan], "lumisection": [1]},
        {"run": ["first"], "lumisection": [1]},
        {"run": [1], "lumisection": [1, 2]},
        {"run": [1], "lumisection": [1], "luminosity": [1.0, 2.0]},
        {"run": [1], "lumisection": [1], "luminosity": [np.inf]},
        {"run": [1], "lumisection": [1], "pileup": [-np.inf]},
        {"run": [1], "lumisection": [1], "events": [-3.0]},
        {"run": [1], "lumisection": [1], "time": [np.inf]},
        {"run": [[1]], "lumisection": [[1]]},
    ],
)
def test_lumisections_that_cannot_be_are_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(MlcoreError, match="conditions"):
        Conditions(**{name: np.array(values) for name, values in columns.items()})


def test_what_is_not_known_of_a_lumisection_is_nan() -> None:
    known = Conditions(run=np.array([7.0, 7.0]), lumisection=np.array([1, 2]), luminosity=np.array([1.0, np.nan]))
    assert known.run.dtype == np.int64
    assert np.isnan(known.pileup).all()
    assert known.name(1) == "run 7 lumisection 2"
    assert len(Conditions.plain(0)) == 0


def test_a_table_needs_one_name_and_group_per_column_and_numbers() -> None:
    for values in (np.ones(3), np.ones((2, 2)), [["a", "b", "c"]] * 3, [[1.0], [1.0, 2.0], [3.0]]):
        with pytest.raises(ShapeError, match="features"):
            FeatureTable(values, ("a", "b", "c"), ("g",) * 3, Conditions.plain(3))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="groups"):
        FeatureTable(np.ones((3, 2)), ("a", "b"), ("g",), Conditions.plain(3))
    with pytest.raises(ShapeError, match="same name"):
        FeatureTable(np.ones((3, 2)), ("a", "a"), ("g", "g"), Conditions.plain(3))


def test_tables_stand_beside_each_other_when_they_have_the_same_lumisections() -> None:
    left = table([[1.0, 2.0], [3.0, 4.0]], groups=("muons", "jets"))
    right = FeatureTable(np.array([[5.0], [6.0]]), ("z",), ("muons",), left.conditions)
    both = FeatureTable.beside([left, right])
    assert both.names == ("a", "b", "z")
    assert both.of_group("muons").values.tolist() == [[1.0, 5.0], [3.0, 6.0]]
    assert both.of_group("photons").values.shape == (2, 0)
    with pytest.raises(ShapeError, match="align"):
        FeatureTable.beside([left, right.select(slice(0, 1))])


def test_shapes_are_those_of_the_entries_themselves() -> None:
    rng = np.random.default_rng(0)
    axis = Axis.regular("x", 400, 0.0, 10.0)
    entries = [rng.normal(4.0, 1.0, 20_000), rng.exponential(2.0, 20_000)]
    counts = np.array([np.histogram(values, axis.edges)[0] for values in entries])
    flow = np.array([[[(values < 0).sum(), (values >= 10).sum()]] for values in entries])
    found = shape_features(block(counts, axis, flow=flow))
    for row, values in enumerate(entries):
        inside = values[(values >= 0) & (values < 10)]
        expected = [inside.mean(), inside.std(), *np.quantile(inside, (0.01, 0.25, 0.5, 0.75, 0.99))]
        assert np.allclose(found.values[row, :7], expected, atol=0.03)
        assert found.values[row, 7] == pytest.approx(1 - inside.size / values.size)
    assert found.groups == ("A/x",) * 8


def test_a_histogram_without_entries_has_no_shape_and_a_map_is_refused() -> None:
    counts = np.array([[0.0] * 4, [np.nan] * 4, [0.0, 2.0, 0.0, 0.0]])
    values = shape_features(block(counts)).values
    assert np.isnan(values[:2]).all()
    assert np.isfinite(values[2]).all()
    with pytest.raises(ShapeError, match="map features"):
        shape_features(block(np.ones((1, 4, 3)), X, PHI))
