"""The season that the months and the benchmark are played in: what is seen follows from what is true, every time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from django.utils import timezone

from certifier.demo import months
from certifier.demo.clock import standing_at
from certifier.demo.reading import Habits, all_of, read
from certifier.demo.season import Season
from certifier.demo.weeks import Certified, tally
from certifier.lumi import LumiSet


@pytest.fixture(scope="module")
def season() -> Season:
    return months.season()


def test_it_is_drawn_the_same_every_time(season: Season) -> None:
    run, again = season.runs[40], months.season().runs[40]
    for one, other in zip(season.blocks(run), months.season().blocks(again), strict=True):
        assert one.element == other.element
        assert np.array_equal(one.counts, other.counts)


def test_its_runs_come_in_the_order_of_time_before_those_of_the_demo(season: Season) -> None:
    numbers = [run.number for run in season.runs]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] < 350_013
    assert [run.started_at for run in season.runs] == sorted(run.started_at for run in season.runs)
    assert {run.week for run in season.runs} == set(range(months.WEEKS))


def test_a_defect_is_seen_where_it_is_and_nowhere_else(season: Season) -> None:
    seen = 0
    for run in season.runs[:30]:
        bad = season.bad(run, "LAR").to_mask(run.last)
        away = season.significance(run, "LAR")
        assert not away[~bad].any()
        seen += int((away[bad] > 3).sum())
    assert seen > 20


def test_what_begins_silently_is_in_no_histogram_of_its_system(season: Season) -> None:
    run = season.of_week(months.SILENT_WEEK)[0]
    (silent,) = [each for each in season.defects(run) if each.family == months.EMPTY]
    away = season.significance(run, "PIXEL")
    others = LumiSet()
    for each in season.defects(run):
        if each.system == "PIXEL" and each.family != months.EMPTY:
            others |= each.lumisections
    assert not away[(silent.lumisections - others).to_mask(run.last)].any()


def test_what_was_mended_does_not_come_back() -> None:
    played = months.season()
    played.repaired["PIXEL"] = months.SILENT_WEEK + 1
    for week, there in ((months.SILENT_WEEK, True), (months.SILENT_WEEK + 1, False)):
        named = {each.family for run in played.of_week(week) for each in played.defects(run)}
        assert (months.EMPTY in named) == there


def test_the_gain_falls_until_it_is_calibrated(season: Season) -> None:
    lar = season.detectors[0]
    gains = [float(season.state(lar, season.of_week(week)[0]).gain.mean()) for week in (0, 4, 5)]
    assert gains[1] < gains[0]
    assert gains[1] < gains[2]


def test_experts_read_nearly_everything_and_say_the_same_when_asked_twice(season: Season) -> None:
    bad = seen = wrong = 0
    for run in season.runs:
        said = read(season, run, "LAR", Habits())
        assert read(season, run, "LAR", Habits()) == said
        truth = season.bad(run, "LAR")
        bad, seen = bad + len(truth), seen + len(truth & all_of(said))
        wrong += len(all_of(said) - truth)
    # Some twenty defects: one long one that was missed makes a tenth.
    assert 0.6 < seen / bad < 1
    assert 0 < wrong < 0.01 * sum(run.last for run in season.runs)


def test_what_was_decided_is_held_against_the_truth_by_luminosity(season: Season) -> None:
    run = next(run for run in season.runs if season.bad(run, "LAR"))
    bad, whole = season.bad(run, "LAR"), LumiSet.whole(run.last)
    share = run.recorded[bad.to_mask(run.last)].sum() / run.recorded.sum()
    blind = tally(season, [Certified(run.week, run, "LAR", True, good=whole)])
    assert blind.pollution == pytest.approx(share)
    assert (blind.loss, blind.manual) == (0.0, 0.0)
    right = tally(season, [Certified(run.week, run, "LAR", True, good=whole - bad, bad=bad, looked=bad)])
    assert (right.pollution, right.loss) == (0.0, 0.0)
    assert right.manual == pytest.approx(len(bad) / run.last)
    strict = tally(season, [Certified(run.week, run, "LAR", True, bad=whole)])
    assert strict.loss == 1.0


def test_the_clock_is_put_back(season: Season) -> None:
    before = timezone.now()
    with standing_at(datetime(2018, 3, 1, tzinfo=UTC)):
        assert timezone.now().date() == datetime(2018, 3, 1, tzinfo=UTC).date()
    assert timezone.now() >= before
