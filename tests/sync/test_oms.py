"""Runs of OMS come with their lumisections; those that may still change are asked for once more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from certifier.runs.models import ConditionFlag, Run
from certifier.runs.profile import profile_of
from certifier.sync import services
from certifier.sync.models import Cursor, Outcome
from certifier.sync.readers import oms as reader
from certifier.sync.sources import Source
from tests.sync.answering import answering, bits_of, oms, run_of

pytestmark = pytest.mark.django_db


def follow(address: str, token: str = "") -> Any:
    source = Source("oms", "oms", address, token)
    return services.follow(actor=None, source=source, progress=lambda *_: None)


def test_runs_and_lumisections_come_with_luminosity_and_flags() -> None:
    with answering(oms([run_of(355100), run_of(355101)], bits_of(355100, 5) + bits_of(355101, 8))) as server:
        row = follow(server.address, "secret")
    assert row.outcome == Outcome.DONE
    assert row.counts["runs_created"] == 2
    assert row.counts["lumisections_changed"] == 13
    run = Run.objects.get(number=355101)
    assert (run.last_lumisection, run.period, run.fill) == (8, "K", 7000)
    assert profile_of(run).total("recorded_inv_nb") == pytest.approx(8 * 90)
    assert str(ConditionFlag.objects.get(run=run, name="stable_beams").lumisections) == "3-8"
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret"}


def test_the_next_pass_asks_only_behind_the_last_run() -> None:
    runs, bits = [run_of(355100)], bits_of(355100, 5)
    with answering(oms(runs, bits)) as server:
        follow(server.address)
        server.asked.clear()
        runs.append(run_of(355105))
        bits += bits_of(355105, 3)
        row = follow(server.address)
        questions = [
            query.get("filter[run_number][GT]", query.get("filter[run_number][EQ]")) for _, query, _ in server.asked
        ]
    assert row.counts["runs_created"] == 1
    assert questions == ["355100", "355105"]


def test_a_run_that_goes_on_is_read_again_until_it_is_a_week_old() -> None:
    runs, bits = [run_of(355100, ended=None)], bits_of(355100, 5)
    with answering(oms(runs, bits)) as server:
        follow(server.address)
        bits += [{**row, "lumisection_number": row["lumisection_number"] + 5} for row in bits_of(355100, 5)]
        yesterday = timezone.now() - timedelta(days=1)
        runs[0] = run_of(355100, ended=yesterday.isoformat())
        assert follow(server.address).counts["lumisections_changed"] == 5
        assert Run.objects.get().last_lumisection == 10
        bits[0]["recorded_lumi_per_lumisection"] = 0.05  # corrected the day after
        assert follow(server.address).counts["lumisections_changed"] == 1
        runs[0] = run_of(355100, ended=(timezone.now() - timedelta(days=8)).isoformat())
        follow(server.address)
        server.asked.clear()
        follow(server.address)
    assert [path for path, _, _ in server.asked] == ["/runs"]


def test_many_runs_and_long_ones_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "RUNS_AT_ONCE", 3)
    monkeypatch.setattr(reader, "LUMISECTIONS_AT_ONCE", 4)
    numbers = range(355100, 355107)
    bits = [row for number in numbers for row in bits_of(number, 9)]
    with answering(oms([run_of(number) for number in numbers], bits)) as server:
        row = follow(server.address)
    assert row.counts["runs_created"] == 7
    assert row.counts["lumisections_changed"] == 63
    assert set(Run.objects.values_list("last_lumisection", flat=True)) == {9}


def test_a_run_that_cannot_be_written_stops_no_other_and_is_asked_for_again() -> None:
    runs = [run_of(355100), run_of(355101), run_of(355102)]
    bits = bits_of(355100, 2) + bits_of(355101, 2, recorded_lumi_per_lumisection=-1.0) + bits_of(355102, 2)
    with answering(oms(runs, bits)) as server:
        row = follow(server.address)
        assert row.outcome == Outcome.REFUSED
        assert "355101: " in row.words
        assert "-1.0 is no luminosity" in row.words
        assert set(Run.objects.values_list("number", flat=True)) == {355100, 355102}
        assert list(Cursor.objects.get().refused) == ["355101"]
        for each in bits:
            each["recorded_lumi_per_lumisection"] = 0.09
        row = follow(server.address)
    assert row.outcome == Outcome.DONE
    assert Cursor.objects.get().refused == {}
    assert Run.objects.count() == 3
