"""`y : x : colour` with a selection and aliases; profiles of the points; bands that a trend leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.trending import Draw, FormulaError, band, profile

COLUMNS = {
    "separation": np.array([4.0, 3.0, np.nan, 2.0, 1.0]),
    "rate": np.array([1.0, 2.0, 3.0, 4.0, np.nan]),
    "run": np.array([10.0, 11.0, 12.0, 13.0, 14.0]),
}


def test_it_draws_y_against_x_with_a_third_as_colour() -> None:
    points = Draw.parse("separation : rate : run").evaluate(COLUMNS, 5)
    assert points.x is not None
    assert points.colour is not None
    assert (points.y.tolist(), points.x.tolist(), points.colour.tolist()) == ([4, 3, 2], [1, 2, 4], [10, 11, 13])
    assert (points.rows.tolist(), points.unknown) == ([0, 1, 3], 2)


def test_a_selection_and_aliases_that_use_each_other() -> None:
    aliases = {"busy": "rate > limit", "limit": "2 * one", "one": "1"}
    draw = Draw.parse("separation / limit", where="busy || run == 10", aliases=aliases)
    assert draw.names == ("separation", "rate", "run")
    points = draw.evaluate(COLUMNS, 5)
    assert points.x is None
    assert points.y.tolist() == [2.0, 1.0]
    assert points.unknown == 1


def test_a_constant_is_drawn_for_every_row() -> None:
    assert Draw.parse("1 : run").evaluate(COLUMNS, 5).y.tolist() == [1] * 5


@pytest.mark.parametrize(
    ("text", "where", "aliases", "words"),
    [
        ("a : b : c : d", "", {}, "y, x and a colour at most"),
        ("a : ", "", {}, "missing at the end"),
        ("a : b +", "", {}, r"missing at the end \(at character 8\)"),
        ("a", "a <", {}, "missing at the end"),
        ("a", "", {"a": "b", "b": "a"}, "stands for itself"),
        ("a", "", {"b": "1 +"}, "alias “b”: "),
    ],
)
def test_what_cannot_be_drawn_is_refused(text: str, where: str, aliases: dict[str, str], words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        Draw.parse(text, where=where, aliases=aliases)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=40), st.integers(1, 6))
def test_a_profile_is_the_mean_and_its_error_in_each_bin(pairs: list[tuple[float, float]], bins: int) -> None:
    x, y = (np.array(values) for values in zip(*pairs, strict=True))
    points = Draw.parse("y : x").evaluate({"x": x, "y": y}, len(x))
    found = profile(points, bins)
    assert found.count.sum() == len(x)
    place = np.clip(np.searchsorted(found.edges, x, side="right") - 1, 0, bins - 1)
    for number in range(bins):
        inside = y[place == number]
        assert found.count[number] == len(inside)
        if len(inside):
            assert found.mean[number] == pytest.approx(inside.mean(), abs=1e-12)
        else:
            assert np.isnan(found.mean[number])
        if len(inside) > 1:
            assert found.error[number] == pytest.approx(inside.std(ddof=1) / np.sqrt(len(inside)), abs=1e-9)
        else:
            assert np.isnan(found.error[number])


def test_a_profile_needs_points_with_an_x() -> None:
    with pytest.raises(ValueError, match="needs points"):
        profile(Draw.parse("rate").evaluate(COLUMNS, 5))


def test_a_spike_leaves_the_band_and_does_not_move_it() -> None:
    values = np.random.default_rng(1).normal(10, 1, 100)
    values[60] = 30
    found = band(values)
    assert np.flatnonzero(found.outside).tolist() == [60]
    assert found.high[61] < 18
    assert np.isnan(found.centre[:8]).all()
    assert not found.outside[:8].any()


def test_rare_alarms_on_values_that_only_scatter() -> None:
    values = np.random.default_rng(2).normal(size=20_000)
    assert band(values).outside.mean() < 8e-4
    short = np.random.default_rng(2).normal(size=(2_000, 9))
    assert np.mean([band(row).outside[8] for row in short]) < 8e-3


def test_a_new_level_alarms_until_the_band_has_followed() -> None:
    values = np.concatenate([np.random.default_rng(3).normal(10, 1, 60), np.random.default_rng(4).normal(20, 1, 60)])
    outside = np.flatnonzero(band(values, window=20).outside)
    assert outside[0] == 60
    assert len(outside) <= 12


def test_what_is_not_known_neither_alarms_nor_counts() -> None:
    values = np.array([1.0, 1.1, np.nan, 0.9, 1.0, np.nan, 1.1, 5.0])
    found = band(values, fewest=4)
    assert np.flatnonzero(found.outside).tolist() == [7]
    assert np.isnan(found.centre[3])


def test_a_trend_that_stood_still_may_move_by_the_floor() -> None:
    values = [5.0] * 20 + [5.2]
    assert band(values).outside[-1]
    assert not band(values, floor=0.5).outside[-1]


@pytest.mark.parametrize("wrong", [{"fewest": 1}, {"window": 4, "fewest": 8}, {"sigmas": 0}, {"floor": -1}])
def test_bands_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        band([1.0, 2.0], **wrong)
