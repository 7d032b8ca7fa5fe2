"""Any sequence of writes leaves rows, profile and REST with what a plain dictionary of lumisections says."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from certifier.runs import services
from certifier.runs.models import Lumisection, Run, RunProfile
from certifier.runs.profile import COLUMNS, profiles

VALUES = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 23.31]), st.floats(0, 1e15))
TIMES = st.one_of(
    st.none(), st.integers(0, 10**12).map(lambda us: datetime(2018, 8, 27, tzinfo=UTC) + timedelta(microseconds=us))
)
NAMES = (*COLUMNS, "started_at")


@st.composite
def writes(draw: st.DrawFn) -> tuple[int, dict[str, list[Any]], bool]:
    count = draw(st.integers(0, 8))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    columns: dict[str, list[Any]] = {}
    for name in names:
        kind: st.SearchStrategy[Any] = TIMES if name == "started_at" else VALUES
        columns[name] = draw(st.lists(kind, min_size=count, max_size=count))
    return draw(st.integers(1, 14)), columns, draw(st.booleans())


class LumisectionsTest(TestCase):
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(writes(), max_size=6))
    def test_it_agrees_with_a_dictionary(self, sequence: list[tuple[int, dict[str, list[Any]], bool]]) -> None:
        services.put_run(actor=None, run=5, facts={})
        model: dict[int, dict[str, Any]] = {}
        for first, columns, keep_known in sequence:
            before = {number: dict(row) for number, row in model.items()}
            apply(model, first, columns, keep_known)
            put = services.put_lumisections(actor=None, run=5, first=first, columns=columns, keep_known=keep_known)
            changed = {number for number, row in model.items() if before.get(number) != row}
            assert set(put.lumisections.numbers()) == changed
        rows = {row.number: {name: getattr(row, name) for name in NAMES} for row in Lumisection.objects.all()}
        assert rows == model
        assert Run.objects.get().last_lumisection == max(model, default=0)
        self.check_profile(model)

    def check_profile(self, model: dict[int, dict[str, Any]]) -> None:
        profile = profiles([5]).get(5)
        if profile is None:
            assert model == {}
            return
        for name in COLUMNS:
            expected = [model[number][name] for number in range(1, len(model) + 1)]
            found = [None if math.isnan(value) else value for value in profile[name].tolist()]
            assert found == expected
        row = RunProfile.objects.get()
        for name in ("delivered_inv_nb", "recorded_inv_nb"):
            known = [value[name] for value in model.values() if value[name] is not None]
            total = getattr(row, name)
            assert (total is None) == (not known)
            if known:
                assert np.isclose(total, math.fsum(known), rtol=1e-12)


def apply(model: dict[int, dict[str, Any]], first: int, columns: dict[str, list[Any]], keep_known: bool) -> None:
    count = len(next(iter(columns.values())))
    if not count:
        return
    for number in range(1, first + count):
        model.setdefault(number, dict.fromkeys(NAMES))
    for name, column in columns.items():
        for offset, value in enumerate(column):
            if value is not None or not keep_known:
                model[first + offset][name] = value
