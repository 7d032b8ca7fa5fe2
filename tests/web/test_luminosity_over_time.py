"""Recorded and certified luminosity as they add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from certifier.web.luminosity_over_time import RunLuminosity, over_time

START = datetime(2018, 5, 15, tzinfo=UTC)


def run(
    number: int, recorded: float | None, certified: float | None, period: str = "K", hour: int | None = None
) -> RunLuminosity:
    started = None if hour is None else START + timedelta(hours=hour)
    ended = None if started is None else started + timedelta(minutes=30)
    return RunLuminosity(number, started, ended, "data18", period, recorded, certified)


def test_it_adds_up_by_period_in_the_order_of_runs() -> None:
    shown = over_time([run(1, 2000.0, 1000.0, "K"), run(2, 3000.0, 3000.0, "L"), run(3, None, None, "L")])
    assert shown is not None
    assert [(row.name, row.runs, row.unknown, row.recorded, row.certified) for row in shown.periods] == [
        ("K", 1, 0, 2000.0, 1000.0),
        ("L", 1, 1, 3000.0, 3000.0),
    ]
    assert (shown.total.runs, shown.total.unknown, shown.total.share) == (2, 1, 0.8)


def test_it_grows_between_start_and_end_of_each_run() -> None:
    shown = over_time([run(2, 3000.0, 0.0, hour=5), run(1, 2000.0, 2000.0, hour=0)])
    assert shown is not None
    recorded, certified = shown.plot["data"]
    assert recorded["x"][0] == "2018-05-15T00:00:00+00:00"
    assert recorded["x"][1] == "2018-05-15T00:30:00+00:00"
    assert recorded["y"] == [0.0, 2.0, 2.0, 5.0]
    assert certified["y"] == [0.0, 2.0, 2.0, 2.0]
    assert "/pb" in shown.plot["layout"]["yaxis"]["title"]["text"]


def test_it_goes_by_run_numbers_where_a_start_is_not_known() -> None:
    shown = over_time([run(1, 5.0, 0.0, hour=0), run(2, 5.0, 0.0)])
    assert shown is not None
    assert shown.plot["data"][0]["x"] == [1, 1, 2, 2]


def test_it_is_nothing_without_any_luminosity() -> None:
    assert over_time([]) is None
    assert over_time([run(1, None, None)]) is None


def test_it_tells_the_periods_of_two_projects_apart() -> None:
    other = RunLuminosity(9, None, None, "data17", "K", 1.0, 1.0)
    shown = over_time([run(1, 1.0, 1.0), other])
    assert shown is not None
    assert [row.name for row in shown.periods] == ["data18 K", "data17 K"]
