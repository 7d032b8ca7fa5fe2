"""Sums over sets of lumisections, as brute force has them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LumiSet
from certifier.runs import services
from certifier.runs.models import Run
from certifier.runs.profile import COLUMNS, Profile, iterate_profiles, profile_of, profiles

COLUMN = st.lists(st.one_of(st.just(math.nan), st.floats(0, 1e6)), max_size=40)


@given(COLUMN, st.sets(st.integers(1, 60)))
def test_it_sums_what_is_known(column: list[float], chosen: set[int]) -> None:
    profile = Profile(np.array([column] * len(COLUMNS), dtype=float).reshape(len(COLUMNS), len(column)))
    known = [value for number, value in enumerate(column, start=1) if number in chosen and not math.isnan(value)]
    total, count = profile.sum("pileup", LumiSet.from_numbers(chosen))
    assert count == len(known)
    assert total == pytest.approx(math.fsum(known), rel=1e-12, abs=0)


@given(COLUMN)
def test_it_packs_without_loss(column: list[float]) -> None:
    profile = Profile(np.array([column, column[::-1]] * 2, dtype=float).reshape(len(COLUMNS), len(column)))
    back = Profile.unpack(profile.length, profile.pack())
    assert np.array_equal(back.values, profile.values, equal_nan=True)
    everything = LumiSet.whole(len(column))
    assert back.known("pileup") == everything - LumiSet.from_mask(np.isnan(np.array(column[::-1], dtype=float)))


def test_it_knows_no_total_where_nothing_is_known() -> None:
    profile = Profile.unknown(3)
    assert profile.total("pileup") is None
    assert profile.sum("pileup", LumiSet.whole(3)) == (0.0, 0)
    assert Profile.unknown().sum("pileup", LumiSet.whole(3)) == (0.0, 0)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Profile.unknown(3)["pileup"][0] = 1


def test_it_refuses_bytes_of_another_length() -> None:
    with pytest.raises(ValueError, match="reshape"):
        Profile.unpack(4, Profile.unknown(3).pack())


@pytest.mark.django_db
def test_it_loads_many_runs_in_one_query(django_assert_num_queries: object) -> None:
    services.put_runs(actor=None, runs=[{"run": number, "period": "AB"[number % 2]} for number in range(1, 8)])
    for number in (1, 2, 5):
        services.put_lumisections(actor=None, run=number, columns={"recorded_inv_nb": [float(number)] * number})
    with django_assert_num_queries(1):  # type: ignore[operator]
        found = profiles([5, 1, 7, 99, 1])
    assert {number: profile.total("recorded_inv_nb") for number, profile in found.items()} == {1: 1.0, 5: 25.0}
    with django_assert_num_queries(1):  # type: ignore[operator]
        found = profiles(Run.objects.filter(period="A"))
    assert list(found) == [2]
    assert [number for number, _ in iterate_profiles(Run.objects.all())] == [1, 2, 5]
    assert profile_of(Run.objects.get(number=5)).length == 5
    assert profile_of(Run.objects.get(number=7)).length == 0


@pytest.mark.django_db
def test_it_asks_for_more_runs_than_a_statement_may_name() -> None:
    services.put_run(actor=None, run=70_000, facts={})
    services.put_lumisections(actor=None, run=70_000, columns={"pileup": [1.0]})
    assert list(profiles(range(1, 100_000))) == [70_000]
