"""Human labels of the simulator: sensitivity, specificity, blur, habits, experts, second readers, delay."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.simulate.defects import Defect, plan_defects
from mlcore.simulate.elements import SYSTEMS
from mlcore.simulate.families import BY_NAME, SHORT
from mlcore.simulate.labelling import Flag, LabelHabits, SystemLabels, agreement, label_year, shifters_of
from mlcore.simulate.machine import DAY
from mlcore.simulate.streams import Streams
from mlcore.simulate.world import World, simulate
from mlcore.simulate.year import Year, simulate_year


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("m", 0, prevalence="hard")


@pytest.fixture(scope="module")
def year() -> Year:
    return simulate_year("m", 0)


def _many(year: Year, strength: float) -> list[Defect]:
    """A short defect of the tracker in the middle of every run that is long enough."""
    family = BY_NAME["ID_BS_SHIFT"]
    starts = [int(first + n // 2) for first, n in zip(year.runs.first, year.runs.lumisections, strict=True) if n > 60]
    return [Defect(number, family, strength, SHORT, start, start + 6) for number, start in enumerate(starts)]


def _flags(labels: SystemLabels, who: str) -> list[Flag]:
    return [flag for flag in labels.flags if flag.who.startswith(who)]


def _seen_share(year: Year, strength: float, habits: LabelHabits, who: str = "shifter") -> float:
    defects = _many(year, strength)
    shares = []
    for seed in range(4):
        labels = label_year(year, defects, Streams(seed), habits)["TRACKER"]
        seen = {flag.defect for flag in _flags(labels, who) if flag.why in ("seen", "run-wide")}
        shares.append(len(seen) / len(defects))
    return float(np.mean(shares))


@pytest.mark.parametrize(("strength", "expected"), [(0.02, 0.70), (0.1414, 0.845), (1.0, 0.99)])
def test_sensitivity_grows_with_the_logarithm_of_strength(year: Year, strength: float, expected: float) -> None:
    habits = LabelHabits(bias=0.0, copied=0.0)
    assert float(habits.sensitivity(strength)) == pytest.approx(expected, abs=0.001)
    assert _seen_share(year, strength, habits) == pytest.approx(expected, abs=0.03)


def test_a_specificity_of_0995_is_what_shifters_have_where_nothing_is_wrong(year: Year) -> None:
    labels = label_year(year, [], Streams(0), LabelHabits(bias=0.0, copied=0.0))
    wrong = np.mean([labels[system].first.mean() for system in SYSTEMS])
    assert wrong == pytest.approx(0.005, abs=0.0008)


def test_ends_are_blurred_by_three_lumisections(year: Year) -> None:
    defects = _many(year, 1.0)
    labels = label_year(year, defects, Streams(1), LabelHabits(run_wide=0.0, copied=0.0))["TRACKER"]
    errors = []
    for flag in _flags(labels, "shifter"):
        if flag.why == "seen":
            start = defects[flag.defect].start - int(year.runs.first[flag.run_place]) + 1
            errors.append(flag.first - start)
    spread = np.asarray(errors, dtype=float)
    # Where both ends cross they are exchanged, which takes a little off.
    assert spread.std() == pytest.approx(3.0, abs=0.7)
    assert abs(np.median(spread)) <= 1
    assert np.abs(spread).max() > 7  # tails of Laplace


def test_a_fifth_of_the_short_defects_is_recorded_for_the_whole_run(year: Year) -> None:
    labels = label_year(year, _many(year, 1.0), Streams(2), LabelHabits(copied=0.0))["TRACKER"]
    reasons = [flag.why for flag in _flags(labels, "shifter") if flag.defect >= 0]
    assert np.mean([why == "run-wide" for why in reasons]) == pytest.approx(0.2, abs=0.06)
    whole = [flag for flag in _flags(labels, "shifter") if flag.why == "run-wide"]
    assert all(flag.first == 1 and flag.last == year.runs.lumisections[flag.run_place] for flag in whole)


def test_shifters_who_copy_repeat_how_the_run_before_ended(year: Year) -> None:
    labels = label_year(year, _many(year, 1.0), Streams(3), LabelHabits(copied=0.3))["TRACKER"]
    by_run: dict[int, list[Flag]] = {}
    for flag in _flags(labels, "shifter"):
        by_run.setdefault(flag.run_place, []).append(flag)
    copies = [flag for flag in _flags(labels, "shifter") if flag.why == "copied"]
    assert copies
    for flag in copies:
        before = by_run[flag.run_place - 1]
        assert any(other.last == year.runs.lumisections[flag.run_place - 1] for other in before)
        assert (flag.first, flag.last) == (1, year.runs.lumisections[flag.run_place])
    assert _seen_share(year, 1.0, LabelHabits(copied=0.3, bias=0.0)) == pytest.approx(0.7 * 0.99, abs=0.04)


def test_shifters_differ_from_each_other(year: Year) -> None:
    defects = _many(year, 0.05)
    seen: dict[str, list[bool]] = {}
    for seed in range(4):
        found = label_year(year, defects, Streams(9), LabelHabits(bias=1.5, copied=0.0, expert=(2, 2 + seed)))
        people = shifters_of(year, LabelHabits(bias=1.5), Streams(9))
        caught = {flag.defect for flag in _flags(found["TRACKER"], "shifter")}
        for defect in defects:
            who = int(people.on_shift[year.run_place[defect.start]])
            seen.setdefault(f"{who}", []).append(defect.number in caught)
    bias = shifters_of(year, LabelHabits(bias=1.5), Streams(9)).sees
    share = np.asarray([np.mean(seen[str(who)]) for who in range(12) if str(who) in seen])
    order = np.asarray([bias[who] for who in range(12) if str(who) in seen])
    assert np.corrcoef(share, order)[0, 1] > 0.6
    assert share.std() > 0.05


def test_experts_are_two_to_five_times_more_reliable(year: Year) -> None:
    habits = LabelHabits(bias=0.0, copied=0.0)
    shifter = 1 - _seen_share(year, 0.03, habits)
    expert = 1 - _seen_share(year, 0.03, habits, "expert")
    assert 2.0 < shifter / expert < 6.0
    wrong = label_year(year, [], Streams(5), habits)
    first = np.mean([wrong[system].first.mean() for system in SYSTEMS])
    confirmed = np.mean([wrong[system].confirmed.mean() for system in SYSTEMS])
    assert 2.0 < first / confirmed < 5.5


def test_truth_first_and_confirmed_label_are_three_columns(world: World) -> None:
    physics, errors = world.year.physics, []
    for system in SYSTEMS:
        truth, labels = world.truth[system].bad[physics].astype(int), world.labels[system]
        errors.append(((labels.first[physics] != truth).mean(), (labels.confirmed[physics] != truth).mean()))
    first, confirmed = np.mean(errors, axis=0)
    assert 0.01 < first < 0.12
    assert confirmed < 0.4 * first


def test_a_tenth_of_the_runs_is_read_twice(world: World) -> None:
    year, labels = world.year, world.labels["ECAL"]
    twice, same = agreement(labels)
    assert len(np.unique(year.run_place[twice])) == 30
    assert set(np.unique(labels.second)) <= {-1, 0, 1}
    assert 0.8 < same.sum() / twice.sum() <= 1.0
    assert {flag.run_place for flag in _flags(labels, "second")} <= set(np.unique(year.run_place[twice]))
    people = shifters_of(year, LabelHabits(), world.streams)
    both = people.second >= 0
    assert (people.second[both] != people.on_shift[both]).all()


def test_confirmed_labels_come_one_to_fourteen_days_after_the_run(world: World) -> None:
    year = world.year
    ended = (year.runs.start + year.runs.lumisections * 60.0)[year.run_place]
    for labels in world.labels.values():
        delay = (labels.available - ended) / DAY
        assert delay.min() >= 1.0
        assert delay.max() <= 14.0
        assert delay.std() > 2.0


def test_tolerable_defects_are_no_bad_label(year: Year) -> None:
    family = BY_NAME["TRT_GAIN_SHIFT"]
    start = int(year.runs.first[5] + 20)
    habits = LabelHabits(specificity=0.999999)
    labels = label_year(year, [Defect(0, family, 1.0, SHORT, start, start + 9)], Streams(0), habits)
    assert labels["TRACKER"].confirmed.sum() == 0


def test_the_same_seed_gives_the_same_labels(world: World) -> None:
    again = label_year(world.year, world.defects, world.streams)
    for system, labels in world.labels.items():
        assert labels.flags == again[system].flags
    assert plan_defects(world.year, [(world.year.physics, True)], 0.1, Streams(0))
